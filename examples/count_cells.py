"""Count blood cells in pictures, draw what was found, and ask why.

Run it as ``python examples/count_cells.py [FOLDER] [PICTURE]...``. Without pictures it takes the samples that
ship with the package. It leaves in the folder, for each picture, the picture with its boxes and a file for
other programs; and, for the first, why its surest white cell is there.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import sixarts as sa


def main(folder: Path, pictures: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    detect = sa.load("object-detection")
    pictures = pictures or list(detect.spec.samples)
    for number, found in enumerate(detect.stream(pictures, progress=False)):
        print(f"picture {number}: {found}")
        found.plot().savefig(folder / f"picture-{number}.png", dpi=120)
        (folder / f"picture-{number}.json").write_text(json.dumps(found.to_coco(image_id=number)))
        small = found.only("Platelets", area=(0, 2000))
        print(
            f"  {len(small)} platelets; {len(found.crop())} cells cut out, the surest {found.scores[0]:.0%}"
        )
    why = detect.explain(pictures[0], "occlusion", target="WBC")
    why.plot().savefig(folder / "why.png", dpi=120)
    print(why)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else temporary), sys.argv[2:])
