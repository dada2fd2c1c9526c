"""How much the bench does: in full, or quick, to see that it works; those figures mean nothing."""

from typing import TypeVar

Amount = TypeVar("Amount")


class Size:
    """How much is done of each figure."""

    def __init__(self, *, quick: bool, process_repeats: int | None = None) -> None:
        def of(full: Amount, tiny: Amount) -> Amount:
            return tiny if quick else full

        self.quick = quick
        self.pixels = of(224, 48)  # a side of the images
        self.paintings = of(30, 3)  # in a style set
        self.repeats = of(7, 1)  # of each comparison of steps
        self.process_repeats = process_repeats or of(2, 1)  # of each of whole processes
        self.steps = of(5, 1)  # in one measurement
        self.matrix = of(4096, 256)  # a side of the matrices whose product shows the machine's rate
        self.descent = of(100, 3)  # steps of the baseline whose loss is to be reached
        self.memory_cases = of(9, 1)  # whose peak memory is compared with its estimate
        self.jobs = of(1000, 20)  # that run one after the other in a process
        # Of the sweep:
        self.backbones = of(("vgg", "resnet"), ("vgg",))
        self.aggregations = of(("simple", "squared", "logged"), ("simple", "logged"))
        self.artists = of(2, 1)
        self.contents = of(3, 1)
        self.epochs = of(20, 2)
        self.cached_artists = of(6, 1)  # where style targets are on disk
        # Over which growth is shown:
        self.sets = of((1, 10, 30, 100, 300), (1, 3))  # numbers of paintings
        self.examples = of((1, 2, 4, 8, 16), (1, 2))
        self.lengths = of((5, 10, 20, 40), (1, 2))  # numbers of steps
        self.sides = of((128, 256, 512, 1024), (48, 64))  # pixels
        # Around the steps:
        tiny = "backbone=mobilenet backbone.weights=random loss=normalised epochs=5 metrics=[]"
        self.tiny_run = of(tiny, f"{tiny} image_size=48")
        self.share_options = of((), ("backbone.weights=random", "image_size=48", "epochs=2"))
        self.cheap_sweep = (
            "backbone=mobilenet,vgg_shallow agg=simple,squared,logged optimizer=adam,rmsprop "
            "loss=normalised backbone.weights=random early_stopping.patience=null "
            "metrics=[ssim,grain] "
        ) + of("image_size=96 epochs=10", "image_size=48 epochs=2")
        # On a GPU, the published study, and the image that other tools are timed on:
        self.command_images = of((2, 25, 10), (1, 2, 1))  # artists, paintings of each, contents
        self.command_options = (
            "backbone.weights=random dataset=folder dataset.artists=[*] content=folder batch=auto "
            "precision=bfloat16 early_stopping.patience=null loss=normalised "
        ) + of(
            "backbone=vgg,resnet agg=simple,logged dataset.paintings=25 content.count=10",
            "backbone=mobilenet metrics=[] image_size=48 epochs=2 dataset.paintings=2 "
            "content.count=1",
        )
        self.study_artists = of(6, 2)
        self.study_contents = of(10, 2)
        self.study_epochs = of(100, 2)
        self.study_pixels = of(224, 80)
        self.study_matrix = of(8192, 512)
        self.study_backbones = of(("vgg", "resnet", "inception", "mobilenet"), ("mobilenet",))
        self.optimizers = of(("adam", "sgd", "rmsprop"), ("adam", "sgd"))
        self.precisions = of(("float32", "bfloat16"), ("bfloat16",))
        self.large = of(512, 96)
        self.large_steps = of(1000, 3)
        self.gpu_steps = of(10, 1)
