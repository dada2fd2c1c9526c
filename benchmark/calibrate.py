"""Loss weights for a backbone, measured: `python -m benchmark.calibrate --help`."""

import sys
from collections.abc import Sequence

from benchmark.config.paths import ROOT, check_folder
from benchmark.user_input.arguments import told
from benchmark.user_input.refusal import explained_imports, refusing

FOLDER = ROOT / "mlruns" / "calibration"
"""What is drawn of the trials."""

TRIAL = ("split=train", "content.train=3", "content.test=1", "epochs=40", "metrics=[]")
"""What a trial is unless the command line says otherwise."""

USAGE = """\
Choose loss.style_weight and loss.content_weight for a backbone.

    python -m benchmark.calibrate backbone=resnet backbone.weights=imagenet
    python -m benchmark.calibrate backbone=resnet,inception dataset=best_artworks …

Any option of `python -m benchmark` may be given. On the training draw of content pictures it
finds the least style weight with which the style loss falls by 97% of what it could fall
without any content loss, on a logarithmic scale: visible style, and as much content as that
leaves. Then both weights are scaled until SGD's first step at its default rate moves the pixels
by 0.003 (root mean square), so that one rate serves all backbones. Prints each trial and the
weights for conf/backbone/ (with loss=normalised for conf/loss/, one pair for all backbones), and
writes the trials' pictures to mlruns/calibration/.
"""


@refusing()
def main(arguments: Sequence[str]) -> int:
    """Calibrate the backbones that the overrides name; returns the exit code."""
    if told(arguments, USAGE):
        return 0
    check_folder("mlruns", str(FOLDER))
    with explained_imports():
        from benchmark.config.compose import composed, one_by_one

    jobs = [[*TRIAL, *overrides] for overrides in one_by_one(arguments)]
    for job in jobs:
        composed(job)  # a typo in the last is told before the first takes its minutes
    with explained_imports():
        from benchmark.analysis.calibration import calibrate

    for job in jobs:
        calibrate(job, FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
