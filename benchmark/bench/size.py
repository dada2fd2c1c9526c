"""How much the bench does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """How much is done beside the baseline."""

    pixels: int = 224  # a side of the images
    paintings: int = 30  # in a style set
    repeats: int = 7  # of each comparison of steps
    process_repeats: int = 2  # of each comparison of whole processes
    steps: int = 5  # in one measurement
    matrix: int = 4096  # a side of the matrices whose product shows what the machine can do
    descent: int = 100  # steps of the baseline whose loss is to be reached
    memory_cases: int = 7  # whose peak memory is compared with its estimate
    jobs: int = 1000  # that run one after the other in a process
    # Of the sweep:
    backbones: tuple[str, ...] = ("vgg", "resnet")
    aggregations: tuple[str, ...] = ("simple", "squared", "logged")
    artists: int = 2
    contents: int = 3
    epochs: int = 20
    cached_artists: int = 6  # where style targets are on disk
    # Over which growth is shown:
    sets: tuple[int, ...] = (1, 10, 30, 100, 300)  # numbers of paintings
    examples: tuple[int, ...] = (1, 2, 4, 8, 16)
    lengths: tuple[int, ...] = (5, 10, 20, 40)  # numbers of steps
    sides: tuple[int, ...] = (128, 256, 512, 1024)  # pixels


@dataclass(frozen=True)
class QuickSize(Size):
    """For a look at whether everything works; its figures mean nothing."""

    pixels: int = 48
    paintings: int = 3
    repeats: int = 1
    process_repeats: int = 1
    steps: int = 1
    matrix: int = 256
    descent: int = 3
    memory_cases: int = 1
    jobs: int = 20
    backbones: tuple[str, ...] = ("vgg",)
    aggregations: tuple[str, ...] = ("simple", "logged")
    artists: int = 1
    contents: int = 1
    epochs: int = 2
    cached_artists: int = 1
    sets: tuple[int, ...] = (1, 3)
    examples: tuple[int, ...] = (1, 2)
    lengths: tuple[int, ...] = (1, 2)
    sides: tuple[int, ...] = (48, 64)


@dataclass(frozen=True)
class StudySize:
    """How much is done on a GPU: the published study, and the picture other tools are timed on."""

    artists: int = 6
    paintings: int = 30
    contents: int = 10
    epochs: int = 100
    pixels: int = 224
    large: int = 512
    large_steps: int = 1000
    matrix: int = 8192
    backbones: tuple[str, ...] = ("vgg", "resnet", "inception", "mobilenet")
    optimizers: tuple[str, ...] = ("adam", "sgd", "rmsprop")
    precisions: tuple[str, ...] = ("float32", "bfloat16")
    steps: int = 10


@dataclass(frozen=True)
class QuickStudySize(StudySize):
    """For a look at whether everything works; its figures mean nothing."""

    artists: int = 2
    paintings: int = 2
    contents: int = 2
    epochs: int = 2
    pixels: int = 80
    large: int = 96
    large_steps: int = 3
    matrix: int = 512
    backbones: tuple[str, ...] = ("mobilenet",)
    optimizers: tuple[str, ...] = ("adam", "sgd")
    precisions: tuple[str, ...] = ("bfloat16",)
    steps: int = 1
