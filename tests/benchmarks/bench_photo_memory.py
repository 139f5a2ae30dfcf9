"""What a folder of photos takes of memory through ``stream``: as much for 500 as for 100.

Run it as ``python tests/benchmarks/bench_photo_memory.py``. Each count has a process of its own; what counts
is the most memory that it ever had, beyond what it had once the model was loaded and had answered a batch.
Exit code 1 when 500 photos take over a tenth, and over 20 MB, more than 100.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile

from pictures import write_photos

COUNTS = (100, 500)


def main() -> int:
    """Prints the peak for each count; returns the exit code."""
    with tempfile.TemporaryDirectory() as place:
        write_photos(place, max(COUNTS))
        peaks = {}
        for count in COUNTS:
            done = subprocess.run(
                [sys.executable, __file__, place, str(count)], capture_output=True, text=True, check=True
            )
            base, peak = map(float, done.stdout.split()[-2:])
            peaks[count] = peak - base
            print(
                f"{count} photos: {peak:.0f} MB at most, {peak - base:.0f} MB over the loaded model",
                flush=True,
            )
    few, many = (peaks[count] for count in COUNTS)
    return 1 if many > few + max(0.1 * few, 20) else 0


def measure(place: str, count: int) -> None:
    """Classifies the first photos of a folder; prints the memory before and at its highest, in MB."""
    import sixarts as sa

    classify = sa.load("image-classification")
    photos = [f"{place}/{number:03}.jpg" for number in range(count)]
    list(classify.stream(photos[:32], progress=False))
    base = _peak()
    for _ in classify.stream(iter(photos), progress=False):
        pass
    print(base, _peak())


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(main())
