"""What English writes short: abbreviations, units, currencies, letters, and capitals that are words."""

from __future__ import annotations

#: Abbreviations that begin with a capital, with or without their full stop.
TITLES = {
    "Mr": "mister", "Mrs": "missus", "Ms": "miz", "Dr": "doctor", "Prof": "professor", "Rev": "reverend",
    "Hon": "honorable", "Gen": "general", "Lt": "lieutenant", "Col": "colonel", "Capt": "captain",
    "Cpt": "captain", "Sgt": "sergeant", "Cpl": "corporal", "Maj": "major", "Cmdr": "commander",
    "Adm": "admiral", "Gov": "governor", "Sen": "senator", "Rep": "representative", "Pres": "president",
    "Messrs": "messieurs", "Fr": "father", "Sr": "senior", "Jr": "junior", "Supt": "superintendent",
}  # fmt: skip
#: Those that need their full stop.
DOTTED = {
    "Ave": "avenue", "Blvd": "boulevard", "Rd": "road", "Hwy": "highway", "Ln": "lane", "Pl": "place",
    "Sq": "square", "Apt": "apartment", "Ste": "suite", "Mt": "mount", "Ft": "fort", "Inc": "incorporated",
    "Ltd": "limited", "Co": "company", "Corp": "corporation", "Bros": "brothers", "Dept": "department",
    "Univ": "university", "Assn": "association", "Fig": "figure", "Vol": "volume", "Ch": "chapter",
    "Sec": "section", "Eq": "equation", "Ed": "edition", "Est": "established",
}  # fmt: skip
#: Those in small letters.
SMALL = {
    "etc": "et cetera", "vs": "versus", "approx": "approximately", "e.g": "for example", "i.e": "that is",
    "a.k.a": "also known as", "w/o": "without", "w/": "with", "a.m": "ay em", "p.m": "pee em",
}  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
SHORT_MONTHS = {
    "Jan": "january", "Feb": "february", "Mar": "march", "Apr": "april", "Jun": "june", "Jul": "july",
    "Aug": "august", "Sep": "september", "Sept": "september", "Oct": "october", "Nov": "november",
    "Dec": "december",
}  # fmt: skip
#: A currency's sign to one and many of it, and of its hundredth.
MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
}
#: A unit behind a number to one and many of it.
UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"),
    "mph": ("mile per hour", "miles per hour"),
    "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "nm": ("nanometer", "nanometers"),
    "m": ("meter", "meters"),
    "mi": ("mile", "miles"),
    "ft": ("foot", "feet"),
    "in": ("inch", "inches"),
    "yd": ("yard", "yards"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"),
    "mL": ("milliliter", "milliliters"),
    "l": ("liter", "liters"),
    "L": ("liter", "liters"),
    "kW": ("kilowatt", "kilowatts"),
    "MW": ("megawatt", "megawatts"),
    "W": ("watt", "watts"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "V": ("volt", "volts"),
    "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"),
    "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"),
    "KB": ("kilobyte", "kilobytes"),
    "kB": ("kilobyte", "kilobytes"),
    "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"),
    "ms": ("millisecond", "milliseconds"),
    "s": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "h": ("hour", "hours"),
    "°C": ("degree celsius", "degrees celsius"),
    "°F": ("degree fahrenheit", "degrees fahrenheit"),
    "°": ("degree", "degrees"),
    "dB": ("decibel", "decibels"),
}
#: Units that are words, too: "3 in the morning" is no length.
CAREFUL = {"in", "m", "g", "l", "s", "h", "V", "W", "L", "min", "mi"}
#: How letters are called.
LETTERS = {
    "a": "ay", "b": "bee", "c": "see", "d": "dee", "e": "ee", "f": "eff", "g": "jee", "h": "aitch",
    "i": "eye", "j": "jay", "k": "kay", "l": "el", "m": "em", "n": "en", "o": "oh", "p": "pee", "q": "cue",
    "r": "ar", "s": "ess", "t": "tee", "u": "you", "v": "vee", "w": "double you", "x": "ex", "y": "why",
    "z": "zee",
}  # fmt: skip
_CAPITAL_WORDS = """
NASA NATO UNESCO UNICEF OPEC AIDS FIFA UEFA IKEA COVID NAFTA ASCII PIN RAM ROM SWAT NASDAQ DARPA SARS
YAHOO LASER RADAR SONAR SCUBA ASAP CERN ESA OSHA FEMA MoMA NOAA NIMBY PETA POTUS SCOTUS SIM SAAB FIAT LEGO
ZIP GIF THE AND NOT YES NO ALL ANY ARE BUT CAN DAY DID END FOR GET GO HAD HAS HE HER HIM HIS HOW IF IN IS
IT ITS LET MAY ME MUST MY NEVER NEW NOW OF OFF OLD ON ONE OR OUR OUT SAY SEE SHE SO STOP THAT THEM THEN
THERE THEY THIS TO TOO TWO UP VERY WAIT WAS WE WELL WERE WHAT WHEN WHERE WHO WHY WILL WITH YOU YOUR FREE
OPEN HELP EXIT LOVE GOOD BAD BIG ONLY EVER JUST LIKE MAKE MORE MOST SOME SUCH THAN ABOUT AFTER AGAIN
BEFORE EVERY FIRST GREAT HELLO OTHER RIGHT THINK THREE THOSE UNDER WHICH WORLD WOULD BE BY DO AT AN AS AM
FROM HAVE INTO KNOW LAST LONG MANY MUCH NEED NEXT OVER SAID SAME TAKE TELL TIME TODAY USE WANT WAY WORK
YEAR
"""
#: Capitals that are said as a word: names of that kind, and words that somebody shouts.
CAPITAL_WORDS = frozenset(_CAPITAL_WORDS.split())
_COUNTED = """
chapter part war volume book act scene section phase type class appendix article figure table stage level
grade title vol episode season round bowl group unit mark version canto lesson exhibit
"""
#: Words that a Roman numeral behind them counts, and does not put in order.
COUNTED = frozenset(_COUNTED.split())
#: Signs that are said.
SIGNS = {
    "&": "and", "+": "plus", "=": "equals", "@": "at", "#": "number", "%": "percent", "×": "times",
    "÷": "divided by",
}  # fmt: skip
FRACTIONS = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8",
    "⅞": "7/8",
}  # fmt: skip
#: What the signs of an address are called.
SEPARATORS = {
    ".": "dot", "/": "slash", "-": "dash", "_": "underscore", "@": "at", ":": "colon", "?": "question mark",
    "=": "equals", "&": "and", "#": "hash", "+": "plus", "%": "percent", "~": "tilde",
}  # fmt: skip
