"""Bad input: each gives one clear line and exit code 2, and nothing is begun in MLflow.

The rows run the real command path, most of them in this process; `{tmp}` is an empty folder.
"""

import os
import pickle
import re
import shlex
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import yaml
from PIL import Image

import backbones
from backbones.weights import named_layers
from benchmark.config.paths import ROOT
from benchmark.config.registry import owners
from benchmark.runs.workspace import Workspace
from benchmark.tracking.tracker import Tracker
from tests import workspace
from tests.commands import TINY, here, store

CONF = ROOT / "conf"

Capture = pytest.CaptureFixture[str]

Row = tuple[str, str]
"""A command line after `python -m benchmark`, and what its one line must say."""

OPTIONS: list[Row] = [
    # Numbers and switches: of a wrong type, out of range, no number at all.
    ("seed=abc", "seed: Value 'abc' of type 'str' could not be converted to Integer"),
    ("seed=-1", "seed=-1: must be a number from 0 up"),
    ("image_size=abc", "image_size: Value 'abc'"),
    ("image_size=31", "image_size=31: must be a number from 32 up"),
    ("epochs=0", "epochs=0: must be a number from 1 up"),
    ("epochs=nan", "epochs: Value 'nan'"),
    ("epochs=", "epochs: Value ''"),
    ("steps_per_epoch=0", "steps_per_epoch=0: must be a number from 1 up"),
    ("batch=0", "batch=0: must be a number from 1 up"),
    ("memory_gb=4", "memory_gb=4.0: needs batch=auto, for batch=4 is fixed"),
    ("cache=README.md", "README.md is not a folder; name another place"),
    ("precision=float16", "precision: Invalid value 'float16', expected one of [float32, bfl"),
    ("init=nois", "init: Invalid value 'nois', expected one of [content, noise]"),
    ("keep=first", "keep: Invalid value 'first', expected one of [last, best]"),
    ("divergence_factor=0.5", "divergence_factor=0.5: must be a number from 1 up"),
    ("snapshots=5", "snapshots: must be a list, such as [a,b]"),
    ("early_stopping=3", "early_stopping: has options of its own: set those"),
    ("early_stopping.min_improvement=1.5", "min_improvement=1.5: must be at most 1"),
    ("early_stopping.patience=0", "must be 1 or more, or null to never stop"),
    ("evaluation.evaluators=[vgx]", "there is no backbone 'vgx'. Did you mean 'vgg'?"),
    (
        "evaluation.weights=nowhere.h5 evaluation.evaluators=[vgg] metrics=[style_distance]",
        "evaluation.evaluators=vgg with evaluation.weights=nowhere.h5: ",
    ),
    ("evaluation.held_out=-1", "evaluation.held_out=-1: must be a number from 0 up"),
    ("evaluation.others=all", "evaluation.others: Value 'all'"),
    ("split=tran", "split: Invalid value 'tran', expected one of [train, test]"),
    ("original_size=maybe", "original_size: Value 'maybe' is not a valid bool"),
    ("estimate=sho", "estimate: Invalid value 'sho', expected one of [skip, show, only]"),
    ("winner.experiment=study", "what won in training is for split=test; add that"),
    ("winner.optimizers=[adm]", "there is no optimizer 'adm'. Did you mean 'adam'?"),
    ("winner.overlay=studi", "there is no experiment 'studi'. Did you mean 'study'?"),
    ("-m experiment=study_small_test", "with adam is missing; with sgd is missing; with"),
    ("tracking.experiment=''", "tracking.experiment: must not be blank"),
    ("tracking.sweep='a b'", "tracking.sweep=a b: use letters, digits"),
    ("tracking.sweep=..", "tracking.sweep=..: use letters, digits"),
    ("tracking.sweep=" + 81 * "a", "at most 80"),
    ("tracking.run=-1", "tracking.run=-1: must be a number from 0 up"),
    ("-m tracking.sweep=a,b", "tracking.* cannot be swept"),
    ("checkpoint.folder=README.md", "checkpoint.folder=README.md: "),
    ("checkpoint.every_seconds=-1", "must be a number from 0 up, or null"),
    ("checkpoint.every_epochs=0", "must be 1 or more, or null"),
    # What cannot be read, or goes nowhere.
    ("epocs=3", "epocs: no such option. Did you mean 'epochs'?"),
    ("style_weight=3", "Did you mean 'loss.style_weight'?"),
    ("early_stopping.patiance=1", "Did you mean 'early_stopping.patience'?"),
    ("a.b.c=3", "a: no such option"),
    ("epochs.x=3", "epochs: Value '{}'"),
    ("+epochs=3", "Could not append to config"),
    ("++nonsense=1", "nonsense: no such option"),
    ("++loss.style_wieght=1", "loss.style_wieght: no such option. Did you mean 'style_weight'?"),
    ("~epochs", "epochs must be given"),
    ("epochs", "'epochs': cannot be read as option=value"),
    ("epochs==3", "'epochs==3': cannot be read as option=value"),
    ("'epochs=\"3'", "cannot be read as option=value"),
    ("''", "'': cannot be read as option=value"),
    ("=3", "'=3': cannot be read as option=value"),
    ("'epochs=${nope}'", "epochs: Interpolation key 'nope' not found"),
    ("'cache=${oc.env:NOPE}'", "Environment variable 'NOPE' not found"),
    ("--multirn", "unrecognized arguments: --multirn. Did you mean '--multirun'?"),
    ("--epochs=3", "unrecognized arguments: --epochs=3."),
    ("--cfg nope", "invalid choice: 'nope'"),
    ("--config-dir /nowhere", "Additional config directory '/nowhere' not found"),
    # Sweeps, with a bad cell among good ones.
    ("-m image_size=48,5", "image_size=5: must be a number from 32 up"),
    ("-m optimizer=adam,sgd,adm", "optimizer=adm: no such option. Did you mean 'adam'?"),
    ("-m agg=power agg.p=1,2,x", "agg.p=x: input should be a valid number"),
    ("-m dataset.paintings=2,3,61", "dataset.paintings=61: "),
    ("-m backbone.content_layer=conv_pw_3,conv_pw_99", "no layer 'conv_pw_99'"),
    ("-m 'seed=range(3,1)'", "one of these has no values to sweep"),
    ("-m 'seed=range(0,3'", "cannot be read as option=value"),
    ("agg=simple,squared", "several values make a sweep, which needs -m"),
    ("-m hydra.sweep.dir=README.md", "README.md is not a folder"),
    ("hydra.mode=SIDEWAYS", "hydra.mode: Invalid value 'SIDEWAYS'"),
    ("hydra/launcher=nope -m", "hydra/launcher=nope: no such option"),
    ("experiment=quick", "experiment=quick: no such option. Did you mean 'quickstart'?"),
]

VARIANTS: list[Row] = [
    ("backbone=vgx", "backbone=vgx: no such option. Did you mean 'vgg'? Options: efficientnet"),
    ("backbone=null", "backbone=null: no such option"),
    ("~backbone", "backbone must be given"),
    ("backbone.name=null", "backbone.name=None: must be a text"),
    ("backbone._target_=backbones.lod", "backbone._target_=backbones.lod: cannot be imported"),
    ("~backbone._target_", "backbone._target_=None: must be a text"),
    ("backbone.model=keras.applications.vgg19.VGG20", "VGG20: cannot be imported"),
    ("backbone.model=os.sep", "backbone.model=os.sep: is not a function or class"),
    (
        "backbone.preprocessing=os.getcwd",
        "does not turn images into",
    ),
    ("backbone.style_layers=[]", "backbone.style_layers=[]: name at least one"),
    ("backbone.content_layer=[conv1]", "input should be a valid string"),
    ("backbone.weights=imagenot", "no such file. Did you mean 'imagenet'?"),
    ("backbone.weights=''", "backbone.weights=: give imagenet, random, auto or a path"),
    ("backbone.random_scale=0", "backbone.random_scale=0.0: must be > 0"),
    ("backbone.pooling=mean", "backbone.pooling=mean: input should be 'max' or 'avg'"),
    ("backbone.smoothing=sofmax", "input should be 'none', 'softmax' or 'scale'"),
    ("backbone.loss.content_weight=x", "Value 'x' of type 'str' could not be converted to Float"),
    ("backbone.loss.style_weight=-1", "loss.style_weight=-1.0: must be a number from 0 up"),
    ("backbone.loss.variation_weight=nan", "loss.variation_weight=nan: must be a number"),
    ("+backbone.colour=red", "backbone.colour: backbones.load has no such argument"),
    ("+backbone.precision=bfloat16", "backbone.precision: is not for the YAML"),
    ("agg=squard", "agg=squard: no such option. Did you mean 'squared'?"),
    ("agg.name=''", "agg.name=: must be a text"),
    ("agg._target_=benchmark.transfer.aggregation.mean", "cannot be imported"),
    ("agg.p=abc", "agg.p=abc: input should be a valid number"),
    ("~agg.p agg=power", "Interpolation key 'agg.p' not found"),
    ("agg.weights=[1,2,3]", "agg.weights has 3 numbers for 2 paintings"),
    ("agg.weights=[1,0]", "every weight must be a positive number"),
    ("+agg.losses=1", "cannot be called with losses, weights"),
    ("loss=studi", "loss=studi: no such option. Did you mean 'study'?"),
    ("loss.name=null", "loss.name: must not be null"),
    (
        "loss.style=benchmark.transfer.losses.styl",
        "loss.style=benchmark.transfer.losses.styl: cannot be imported",
    ),
    ("loss.style=os.sep", "loss.style=os.sep: is not a function or class"),
    ("loss.content=os.getcwd", "loss.content=os.getcwd: cannot be called with"),
    ("loss.content_weight=-1", "loss.content_weight=-1.0: must be a number from 0 up"),
    ("loss.style_weight=1e300", "loss.style_weight=1e+300: must be at most 3.4e+38"),
    ("loss.variation_weight=x", "loss.variation_weight: Value 'x'"),
    ("optimizer=adm", "optimizer=adm: no such option. Did you mean 'adam'?"),
    ("optimizer.name=[a]", "optimizer.name=['a']: must be a text"),
    ("optimizer._target_=keras.optimizers.Adm", "cannot be imported"),
    ("optimizer.learning_rate=abc", "optimizer.learning_rate=abc: input should be a valid"),
    ("~optimizer.learning_rate", "its YAML must give a learning_rate"),
    ("optimizer.beta_1=2", "optimizer.beta_1=2.0: must be a number from 0 up, below 1"),
    ("optimizer.beta_2=nan", "optimizer.beta_2=nan: must be a number from 0 up, below 1"),
    ("optimizer.epsilon=-1", "optimizer.epsilon=-1.0: must be a number from 0 up"),
    ("optimizer.amsgrad=3", "optimizer.amsgrad=3: input should be a valid boolean"),
    ("optimizer.momentum=0.9", "it belongs to optimizer=rmsprop or optimizer=sgd"),
    ("optimizer=sgd optimizer.nesterov=x", "optimizer.nesterov=x: input should be a valid"),
    ("optimizer=rmsprop optimizer.rho=2", "optimizer.rho=2.0: must be a number from 0 up, below"),
    ("optimizer=rmsprop optimizer.centered=x", "optimizer.centered=x: input should be a valid"),
    ("+optimizer.clipnorm=1", "would tie the examples of a batch together"),
    ("+optimizer.learning_rates=1", "Did you mean 'learning_rate'?"),
    ("dataset=sampel", "dataset=sampel: no such option. Did you mean 'sample'?"),
    ("dataset.name=null", "dataset.name=None: must be a text"),
    ("dataset._target_=datasets.sample.content", "datasets.sample.content has no such argument"),
    ("dataset=folder", "dataset.root must be given: add dataset.root=… to the command"),
    ("dataset.root=x", "it belongs to dataset=best_artworks"),
    ("dataset=folder dataset.root=nowhere", "dataset.root=nowhere: no such folder"),
    ("dataset=folder dataset.root=" + 300 * "a", "cannot be read: File name too long"),
    ("dataset.artists=[]", "dataset.artists=[]: name at least one"),
    ("'dataset.artists=[Ambér Nocturne,Dalí]'", "dataset.artists=Dalí: no such name"),
    ("dataset.genre=Cubism", "it belongs to dataset=best_artworks"),
    ("dataset.nationality=French", "it belongs to dataset=best_artworks"),
    ("dataset.born=[1,2]", "it belongs to dataset=best_artworks"),
    ("dataset.group_by=genre", "it belongs to dataset=best_artworks"),
    ("dataset.paintings=0", "dataset.paintings=0: input should be greater than 0"),
    ("dataset.selection=newest", "dataset.selection=newest: input should be 'first', 'random'"),
    ("dataset.clusters=0", "dataset.clusters=0: input should be greater than 0"),
    ("content=sampel", "content=sampel: no such option. Did you mean 'sample'?"),
    ("content.name=3", "content.name=3: must be a text"),
    ("content._target_=datasets.sample.paintings", "gives no set"),
    ("content=folder", "content.root must be given"),
    ("content=folder content.root={tmp}", "no images in this folder"),
    ("content.names=[cofee]", "Did you mean 'coffee'?"),
    ("content.count=0", "content.count=0: input should be greater than 0"),
    ("content.train=-2", "content.train=-2: input should be greater than 0"),
    ("content.test=99 split=test", "need 104 content images, only 8 are"),
    ("metrics=[ssin]", "metrics=[ssin]: no such option. Did you mean 'ssim'?"),
    ("metrics.ssim=null", "metrics.ssim.name=None: must be a text"),
    ("metrics.ssim.name=null", "metrics.ssim.name=None: must be a text"),
    ("metrics.ssim._target_=benchmark.metrics.pixels.sim", "cannot be imported"),
    ("metrics.ssim.label=null", "metrics.ssim.label=None: input should be a valid string"),
    ("metrics.ssim.better=big", "input should be 'higher', 'lower', 'one' or 'none'"),
    ("metrics.ssim.range=[0]", "metrics.ssim.range=[0]: input should be a valid string"),
    ("metrics.ssim.about=null", "metrics.ssim.about=None: input should be a valid string"),
    ("metrics.recognition.rate=perhaps", "input should be a valid boolean"),
    ("metrics.classifier_accuracy.interval=x", "input should be a valid boolean"),
    ("metrics.grain.reference=all", "input should be 'style_set', 'held_out' or 'others'"),
    ("~metrics.grain.reference", "metrics.grain.reference: must be style_set, held_out or"),
    ("metrics.grain.sigma=0", "metrics.grain.sigma=0: input should be greater than 0"),
    ("metrics.grain.sgma=1", "Did you mean 'metrics.grain.sigma'?"),
    ("metrics.colour_distance.directions=0", "input should be greater than 0"),
    ("metrics.style_distance.over=median", "input should be 'mean' or 'nearest'"),
]

MORE: list[Row] = [
    ("seed=1.5", "seed: Value '1.5' of type 'float'"),
    ("seed=99999999999999999999999", "must be at most 2147483647"),
    ("image_size=8193", "image_size=8193: must be at most 8192"),
    ("image_size=inf", "image_size: Value 'inf'"),
    ("image_size=null", "image_size: must not be null"),
    ("image_size=[48]", "image_size: Value '[48]'"),
    ("epochs=99999999999999999999999", "must be at most 2147483647"),
    ("batch=al", "batch=al: must be a number from 1 up, or auto"),
    ("batch=null", "batch: must not be null"),
    ("memory_gb=-1 batch=auto", "memory_gb=-1.0: must be a positive number of gigabytes"),
    ("memory_gb=nan batch=auto", "memory_gb=nan: must be a positive number"),
    ("cache=README.md/below", "README.md is not a folder"),
    ("cache=[a]", "cache: must be one text"),
    ("divergence_factor=nan", "divergence_factor=nan: must be a number from 1 up"),
    ("divergence_factor=inf", "divergence_factor=inf: must be at most"),
    ("snapshots=[1,-3]", "snapshots=-3: must be a number from 0 up"),
    ("snapshots=[1.5]", "snapshots[0]: Value '1.5'"),
    ("early_stopping.min_improvement=-1", "must be a number from 0 up"),
    ("early_stopping.patience=1.5", "early_stopping.patience: Value '1.5'"),
    ("evaluation.evaluators=vgg", "evaluation.evaluators: must be a list"),
    ("winner.experiment=study split=test winner.optimizers=[]", "name at least one"),
    ("tracking.sweep=../x", "tracking.sweep=../x: use letters, digits"),
    ("tracking.run=7", "there is no such sweep"),
    ("checkpoint.every_seconds=nan", "must be a number from 0 up, or null"),
    ("backbone=[vgg,resnet]", "a run has one backbone; several make a sweep: -m backbone=A,B"),
    ("backbone._target_=backbones", "backbone._target_=backbones: is not a function or class"),
    ("backbone._target_=os.getcwd", "os.getcwd has no such argument"),
    ("backbone.model=os.getcwd", "backbone.model=os.getcwd: cannot be built for image_size=48"),
    ("backbone.model=builtins.dict", "backbone.model=builtins.dict: does not return a keras.Model"),
    ("backbone.preprocessing=builtins.str", "preprocessing=builtins.str: does not turn images"),
    ("backbone.style_layers=[conv1,cnv_pw_1]", "Did you mean 'conv_pw_1'?"),
    ("backbone.style_layers=conv1", "backbone.style_layers=conv1: input should be a valid"),
    ("backbone.weights=/dev/zero", "backbone.weights=/dev/zero: no such file"),
    ("backbone.random_scale=1e300", "must be > 0 and finite"),
    ("backbone=inception", "image_size=48: Input size must be at least 75x75"),
    ("agg.p=nan agg=power", "agg.p=nan: must be a number"),
    ("agg.p=3", "agg=simple has its own p; use agg=power"),
    ("agg.weights=[1,nan]", "every weight must be a positive number"),
    ("agg.weights=3", "must be a list in which every weight"),
    ("loss.style_weight=0 loss.content_weight=0", "all loss weights are 0"),
    ("optimizer._target_=keras.layers.Dense", "keras.layers.Dense has no such argument"),
    ("optimizer.learning_rate=0", "must be a positive number"),
    ("optimizer.learning_rate=-inf", "must be a positive number"),
    ("optimizer=sgd optimizer.momentum=2", "optimizer.momentum=2.0: must be a number from 0 up"),
    ("dataset._target_=tests.test_bad_input.no_sets", "gives no list of sets"),
    ("dataset=folder dataset.root=README.md", "README.md: is a file, not a folder"),
    ("dataset=folder dataset.root={tmp}", "no subfolder with images"),
    ("dataset=best_artworks dataset.root={tmp}", "no images of best_artworks: give the un"),
    ("dataset.artists=[amber_nocturn]", "Did you mean 'amber_nocturne'?"),
    ("dataset.artists=3", "dataset.artists=3: input should be a valid list"),
    ("dataset.artists=['no*']", "dataset.artists=no*: no such name"),
    ("dataset=best_artworks dataset.group_by=x", "input should be 'artist', 'genre' or 'nation"),
    ("dataset=best_artworks dataset.born=[1,x]", "dataset.born=[1, 'x']: input should be a valid"),
    ("dataset.paintings=many", "dataset.paintings=many: input should be a valid integer"),
    ("dataset.paintings=61", "set dataset.paintings=60, or choose others"),
    ("dataset.clusters=99 dataset.selection=cluster", "dataset.clusters=99: "),
    ("content=imagenet_mini content.root={tmp}", "no images of imagenet_mini"),
    ("content.root=x", "it belongs to content=folder or content=imagenet_mini"),
    ("content.names=coffee", "content.names=coffee: input should be a valid list"),
    ("content.names=[coffee] split=train", "content.names names them: leave one out"),
    ("content.count=99", "set content.count=8 or add images"),
    ("metrics=3", "metrics=3: no such option"),
    ("metrics.ssim._target_=os.getcwd", "metrics.ssim._target_=os.getcwd: is no metric"),
    ("metrics.grain.sigma=1e9", "input should be less than or equal to 100"),
]
"""More of the same kinds, for the long form."""

STORES: list[Row] = [
    ("tracking.uri=mlruns", "give sqlite:///PATH.db or the http(s):// address of an MLflow server"),
    ("tracking.uri=ftp://host/x", "give sqlite:///PATH.db or the http(s)://"),
    ("tracking.uri=oracle://host/x", "give sqlite:///PATH.db or the http(s)://"),
    ("tracking.uri=sqlite:///", "give sqlite:///PATH.db"),
    ("tracking.uri=sqlite:///{tmp}", "is no file; give that of a database"),
    ("tracking.uri=sqlite:////dev/null", "is no file; give that of a database"),
    ("tracking.uri=sqlite:////proc/nope/x.db", "cannot be used"),
    ("tracking.uri=sqlite:///README.md", "file is not a database"),
    ("tracking.uri=sqlite:///README.md/x.db", "README.md is not a folder"),
    ("tracking.uri=http://127.0.0.1:9", "tracking.uri=http://127.0.0.1:9: no server answers"),
    ("tracking.uri=http://127.0.0.1:x", "no server answers (nonnumeric port: 'x')"),
    ("tracking.uri=http://", "no server answers"),
    ("-m tracking.uri=http://127.0.0.1:9 agg=simple,squared", "no server answers"),
]

COMMANDS: list[tuple[str, Row]] = [
    ("benchmark.layers", ("backbone=restnet", "Did you mean 'resnet'?")),
    ("benchmark.layers", ("backbone=null", "backbone=null: no such option")),
    ("benchmark.layers", ("nonsense", "'nonsense': cannot be read as option=value")),
    ("benchmark.layers", ("backbone=inception image_size=33", "must be at least 75x75")),
    ("benchmark.calibrate", ("backbone=vgg,vgx", "backbone=vgx: no such option")),
    ("benchmark.calibrate", ("epochs=0", "epochs=0: must be a number from 1 up")),
    (
        "benchmark.calibrate",
        (
            "backbone=mobilenet backbone.weights=random image_size=32 dataset.paintings=1 "
            "init=noise",
            "init=noise: calibration starts at the content pictures",
        ),
    ),
    ("benchmark.peakiness", ("backbone=vgx", "Did you mean 'vgg'?")),
    ("benchmark.peakiness", ("backbone.weights=nowhere.h5", "nowhere.h5: no such file")),
    ("benchmark.export", ("{uri} --sweep nope", "no runs of sweep 'nope'")),
    ("benchmark.export", ("{uri} --sweep ../x", "--sweep ../x: no sweep can have this name")),
    ("benchmark.export", ("{uri} --run nope", "--run=nope: sqlite:")),
    ("benchmark.export", ("{uri} --experiment styl", "has no experiment 'styl'")),
    ("benchmark.export", ("{uri} study --sweep x", "--sweep and a study cannot go together")),
    ("benchmark.export", ("{uri} studi", "has no experiment 'studi'")),
    ("benchmark.export", ("{uri} --output README.md", "README.md")),
    ("benchmark.export", ("--swep x", "Did you mean '--sweep'?")),
    ("benchmark.export", ("--sweep", "argument --sweep: expected one argument")),
    ("benchmark.export", ("--tracking-uri sqlite:///{tmp}/x.db", "there is no such store")),
    ("benchmark.export", ("--tracking-uri sqlite:///{tmp}", "is no file; give that of a")),
    ("benchmark.export", ("--tracking-uri mlruns", "give sqlite:///PATH.db or")),
    ("benchmark.report", ("{uri} --sweep nope", "no runs of sweep 'nope'")),
    ("benchmark.report", ("extra", "unrecognized arguments: extra")),
    ("benchmark.evaluate", ("{uri} epochs=3", "epochs=3: the runs are done; only metrics")),
    ("benchmark.evaluate", ("{uri} metrics=[ssin]", "Did you mean 'ssim'?")),
    ("benchmark.evaluate", ("{uri} metrics=[ssim] metrics.ssim.better=x", "input should be")),
    ("benchmark.evaluate", ("{uri} evaluation.evaluators=[vgx]", "Did you mean 'vgg'?")),
    ("benchmark.evaluate", ("{uri} evaluation.held_out=-1", "must be a number from 0 up")),
    ("benchmark.evaluate", ("{uri} --run nope", "--run=nope: sqlite:")),
    ("benchmark.questions", ("{uri}", "nothing was run that answers a question")),
    ("benchmark.questions", ("--outptu x", "Did you mean '--output'?")),
    ("benchmark.resume", ("{uri} nope", "no sweep 'nope'")),
    ("benchmark.resume", ("{uri} --froce", "Did you mean '--force'?")),
    ("benchmark.bench", ("--only nope", "argument --only: invalid choice: 'nope'")),
    ("benchmark.bench", ("--gpu --only step", "--gpu measures its own figures")),
    ("benchmark.bench", ("--quick --output README.md", "--output README.md: File exists")),
    ("benchmark.bench", ("--sweep-repeats 0", "--sweep-repeats: must be 1 or more")),
    ("datasets.fetch", ("", "the following arguments are required: NAME")),
    ("datasets.fetch", ("best_artwork", "Did you mean 'best_artworks'?")),
    ("datasets.fetch", ("best_artworks imagenet_mini --root x", "--root takes one archive")),
    ("datasets.fetch", ("best_artworks --root README.md", "README.md is not an empty folder")),
    ("datasets.describe", ("dataset=sampel", "Did you mean 'sample'?")),
    ("datasets.describe", ("nonsense", "nonsense: cannot be read as option=value")),
    ("datasets.describe", ("dataset=folder", "dataset.root: must be given")),
    ("datasets.describe", ("dataset=folder dataset.rot=x", "Did you mean 'dataset.root'?")),
    ("datasets.describe", ("dataset=folder dataset.root={tmp}", "no subfolder with imag")),
]


def no_sets(artists: object) -> int:
    """A dataset's function with a defect."""
    return 3


def check_refused(
    captured: tuple[str, str], code: int, message: str, database: Path | None = None
) -> None:
    """The contract of every row."""
    output, error = captured
    assert code == 2, output + error
    assert error.startswith("error: "), error
    assert error.count("\n") == 1, error
    assert message in error
    assert "Traceback" not in output + error
    assert "Run 1" not in output
    assert database is None or runs_of(database) == 0


def runs_of(database: Path) -> int:
    """How many runs a store holds; 0 where there is none, or what is there is none."""
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as opened:
            return int(opened.execute("SELECT COUNT(*) FROM runs").fetchone()[0])
    except sqlite3.Error:
        return 0


def benchmark(arguments: list[str], folder: Path) -> int:
    """`python -m benchmark` with these over tiny defaults and a store of the test's own."""
    given = {argument.partition("=")[0].lstrip("+~") for argument in arguments}
    # Each metric costs the time of reading its YAML.
    measured = {option.split(".")[1] for option in given if option.startswith("metrics.")}
    small = [*SMALL, f"metrics=[{','.join(measured or ['change'])}]"]
    tiny = [one for one in small if one.partition("=")[0] not in given]
    own = [] if "tracking.uri" in given else [store(folder)]
    return here("benchmark", *tiny, *arguments, *own)


SMALL = [*TINY, "backbone=mobilenet", "dataset.paintings=2"]


@pytest.mark.parametrize(
    "row",
    [
        *OPTIONS,
        *VARIANTS,
        *STORES,
        *(pytest.param(row, marks=pytest.mark.faults) for row in MORE),
    ],
    ids=lambda row: row[0][:60],
)
def test_options(row: Row, tmp_path: Path, capfd: Capture) -> None:
    line, message = row
    code = benchmark(shlex.split(line.replace("{tmp}", str(tmp_path))), tmp_path)
    check_refused(capfd.readouterr(), code, message, tmp_path / "mlflow.db")


def test_every_option_has_a_bad_row() -> None:
    """Options of `conf/`: those of metrics without the metric's name, the rest dotted in full."""

    def leaves(prefix: str, node: object) -> set[str]:
        if not isinstance(node, dict):
            return {prefix}
        return {leaf for key, value in node.items() for leaf in leaves(f"{prefix}.{key}", value)}

    main = yaml.safe_load((CONF / "config.yaml").read_text())
    groups = [next(iter(one)) for one in main.pop("defaults") if isinstance(one, dict)]
    del main["hydra"]
    options = {leaf[1:] for leaf in leaves("", main)}
    options |= {group for group in groups if " " not in group}
    for group in set(groups) - {"experiment"}:
        for file in (CONF / group).glob("*.yaml"):
            variant = yaml.safe_load(file.read_text())
            variant.pop("defaults", None)
            options |= leaves(group, variant)
    tried = set()
    for line, _ in [*OPTIONS, *VARIANTS, *STORES, *MORE]:
        for argument in shlex.split(line):
            option = argument.lstrip("+~").partition("=")[0]
            tried.add(re.sub(r"^metrics\.\w+\.", "metrics.", option))
    missing = sorted(options - tried)
    assert not missing, f"give these options a row of bad input: {', '.join(missing)}"
    assert {key.partition(".")[0] for key in owners()} - {"hydra"} == {
        *(group for group in groups if " " not in group)
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one finished run."""
    folder = tmp_path_factory.mktemp("finished")
    assert benchmark(["metrics=[change]", "image_size=32"], folder) == 0
    return folder


@pytest.mark.parametrize(("module", "row"), COMMANDS, ids=lambda part: str(part)[:60])
def test_commands(module: str, row: Row, finished: Path, tmp_path: Path, capfd: Capture) -> None:
    line, message = row
    line = line.replace("{uri}", f"--tracking-uri sqlite:///{finished}/mlflow.db")
    capfd.readouterr()
    code = here(module, *shlex.split(line.replace("{tmp}", str(tmp_path))))
    check_refused(capfd.readouterr(), code, message)
    assert runs_of(finished / "mlflow.db") == 1


# Files of every kind. Each function makes some in an empty folder and returns the arguments.

Maker = Callable[[Path], list[str]]


def picture(path: Path, size: tuple[int, int] = (20, 20), mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def blank(width: int, height: int) -> Callable[[Path], object]:
    """Writes a black PNG of any size, in few bytes and little memory."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    def write(path: Path) -> None:
        packer, row = zlib.compressobj(1), bytes(width + 1)
        rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
        header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)

    return write


def content_file(name: str, content: bytes | Callable[[Path], object]) -> Maker:
    """A content picture that is this, among good ones."""

    def make(folder: Path) -> list[str]:
        picture(folder / "a.png")
        if callable(content):
            content(folder / name)
        else:
            (folder / name).write_bytes(content)
        return ["content=folder", f"content.root={folder}"]

    return make


def painting_file(name: str, content: bytes) -> Maker:
    """A painting that is this, among good ones."""

    def make(folder: Path) -> list[str]:
        picture(folder / "Ada" / "1.png")
        picture(folder / "Bruno" / "1.png")
        picture(folder / "Bruno" / "2.png")
        (folder / "Ada" / name).write_bytes(content)
        return ["dataset=folder", f"dataset.root={folder}"]

    return make


def cut_short(kind: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        whole = picture(Path(folder) / f"x.{kind}", (200, 200)).read_bytes()
    return whole[: len(whole) // 2]


def float_tiff(path: Path) -> None:
    Image.fromarray(np.full((9, 9), np.nan, "float32")).save(path)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def archive_with(table: bytes) -> Maker:
    """A small archive of paintings with this table of artists."""

    def make(folder: Path) -> list[str]:
        for number in range(1, 4):
            picture(folder / "images" / "images" / "Ada_Blau" / f"Ada_Blau_{number}.jpg")
        (folder / "artists.csv").write_bytes(table)
        return ["dataset=best_artworks", f"dataset.root={folder}"]

    return make


def unfinished_download(folder: Path) -> list[str]:
    folder.with_name(f"{folder.name}.best-artworks-of-all-time.archive").touch()
    return ["dataset=best_artworks", f"dataset.root={folder}"]


def kaggles_archive_as_folder(folder: Path) -> list[str]:
    (folder / "images").mkdir()
    return ["dataset=folder", f"dataset.root={folder}"]


def pictures_without_artists(folder: Path) -> list[str]:
    picture(folder / "a.png")
    return ["dataset=folder", f"dataset.root={folder}"]


def two_of_one_name(folder: Path) -> list[str]:
    picture(folder / "a.png")
    picture(folder / "a.jpg")
    return ["content=folder", f"content.root={folder}"]


def no_pictures_but(make: Callable[[Path], object]) -> Maker:
    """A folder in which what looks like a picture is none."""

    def made(folder: Path) -> list[str]:
        make(folder / "a.png")
        return ["content=folder", f"content.root={folder}"]

    return made


def looped_root(folder: Path) -> list[str]:
    loop(folder / "loop")
    return ["content=folder", f"content.root={folder}/loop"]


def undecodable_root(folder: Path) -> list[str]:
    picture(Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9")) / "a.png")
    return ["content=folder", f"content.root={os.fsdecode(os.fsencode(folder))}/caf\udce9"]


PICTURES: list[tuple[str, Maker, str]] = [
    ("empty", content_file("b.png", b""), "b.png (UnidentifiedImageError"),
    ("no picture", content_file("b.jpg", b"hello"), "b.jpg (UnidentifiedImageError"),
    ("a web page", content_file("b.png", b"<!DOCTYPE html><html>"), "b.png (UnidentifiedImageE"),
    ("PNG cut short", content_file("b.png", cut_short("png")), "b.png (OSError: image file is tr"),
    ("JPEG cut short", content_file("b.jpg", cut_short("jpg")), "b.jpg (OSError: image file is"),
    ("a bomb", content_file("b.png", blank(20_000, 20_000)), "(over 89,478,485 pixels: sc"),
    ("half a bomb", content_file("b.png", blank(12_000, 10_000)), "(over 89,478,485 pixe"),
    ("no width", content_file("b.png", blank(0, 9)), "b.png ("),
    ("a program", content_file("b.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), "b"),
    ("no numbers", content_file("b.tiff", float_tiff), "some pixels are not finite numbers"),
    ("a broken painting", painting_file("2.png", b"x"), "1 of the 2 images of 'Ada' cannot be"),
    ("too few paintings", painting_file("2.txt", b"x"), "'Ada' has 1 paintings, dataset.paintings"),
    ("no artists", pictures_without_artists, "put each artist's into a subfolder"),
    ("an archive as folder", kaggles_archive_as_folder, "use dataset=best_artworks"),
    ("unfinished download", unfinished_download, "its download was interrupted; resume with"),
    ("no table", archive_with(b"\x00\x01\x02"), "artists.csv"),
    ("table not UTF-8", archive_with(b"name\nD\xfcrer\n"), "cannot be read as a table"),
    ("table without columns", archive_with(b"name,years\nAda,1900\n"), "it has no column genre"),
    ("two of one name", two_of_one_name, "two images are called 'a'; rename one"),
    ("only a pipe", no_pictures_but(os.mkfifo), "no images in this folder"),
    ("only a folder", no_pictures_but(Path.mkdir), "no images in this folder"),
    ("only a loop of links", no_pictures_but(loop), "no images in this folder"),
    ("only a broken link", no_pictures_but(lambda p: p.symlink_to("no")), "no images"),
    ("a loop of links as folder", looped_root, "no such folder"),
    ("a folder not in UTF-8", undecodable_root, "is not UTF-8"),
]


def notop(
    path: Path,
    change: Callable[[h5py.File], object] = lambda file: None,
    length: int | None = None,
) -> None:
    """Weights of these tests' backbone in the layout of Keras's files, changed or cut short."""
    cut = backbones.load(
        name="mobilenet",
        model="keras.applications.mobilenet.MobileNet",
        preprocessing="keras.applications.mobilenet.preprocess_input",
        style_layers=("conv1", "conv_pw_1", "conv_pw_2", "conv_pw_4", "conv_pw_6"),
        content_layer="conv_pw_8",
        weights="random",
        image_size=48,
    ).network.layers[-1]
    with h5py.File(path, "w") as file:
        layers = named_layers(cut)
        file.attrs["layer_names"] = list(layers)
        for name, layer in layers.items():
            group = file.create_group(name)
            arrays = layer.get_weights()
            group.attrs["weight_names"] = [f"{name}/{place}" for place in range(len(arrays))]
            for place, array in enumerate(arrays):
                group.create_dataset(f"{name}/{place}", data=array)
        change(file)
    os.truncate(path, path.stat().st_size if length is None else length)


def instead(file: h5py.File, **dataset: object) -> None:
    """Replace the first layer's first weights."""
    del file["conv1/conv1/0"]
    file["conv1"].create_dataset("conv1/0", **dataset)


WEIGHTS: list[tuple[str, Callable[[Path], object], str]] = [
    ("empty", lambda path: path.write_bytes(b""), "cannot be read as a weight file"),
    ("a text", lambda path: path.write_text("hello"), "cannot be read as a weight file"),
    ("a pickle", lambda path: path.write_bytes(pickle.dumps(["os"])), "cannot be read as a weight"),
    ("cut short", lambda path: notop(path, length=9000), "cannot be read as a weight"),
    (
        "a .keras file",
        lambda path: zipfile.ZipFile(path, "w").close(),
        "cannot be read as a weight",
    ),
    ("no layout", lambda path: h5py.File(path, "w").close(), "cannot be read as a weight"),
    ("no layers", lambda path: notop(path, lambda f: f.attrs.create("layer_names", [])), "no w"),
    (
        "other shapes",
        lambda path: notop(path, lambda f: instead(f, data=np.ones((3, 3, 3, 8)))),
        "a",
    ),
    (
        "NaN",
        lambda path: notop(path, lambda f: instead(f, data=np.full((3, 3, 3, 32), np.nan))),
        "'",
    ),
    (
        "terabytes claimed",
        lambda path: notop(path, lambda f: instead(f, shape=(10**6, 10**6), dtype="f4")),
        "weights of another network than backbone=mobilenet: layer 'conv1'",
    ),
    (
        "texts",
        lambda path: notop(path, lambda f: instead(f, data=np.full((3, 3, 3, 32), "x", "S1"))),
        "cannot be read as a weight file",
    ),
    ("a pipe", os.mkfifo, "no such file"),
    ("a folder", Path.mkdir, "this folder has none"),
    ("a loop of links", loop, "no such file"),
]


@pytest.mark.parametrize(
    ("make", "message"), [(m, t) for _, m, t in PICTURES], ids=[p[0] for p in PICTURES]
)
def test_pictures(make: Maker, message: str, tmp_path: Path, capfd: Capture) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    code = benchmark(make(folder), tmp_path)
    check_refused(capfd.readouterr(), code, message, tmp_path / "mlflow.db")


@pytest.mark.parametrize(
    ("make", "message"), [(m, t) for _, m, t in WEIGHTS], ids=[w[0] for w in WEIGHTS]
)
def test_weights(
    make: Callable[[Path], object], message: str, tmp_path: Path, capfd: Capture
) -> None:
    path = tmp_path / "weights.h5"
    make(path)
    code = benchmark([f"backbone.weights={path}"], tmp_path)
    check_refused(capfd.readouterr(), code, message, tmp_path / "mlflow.db")


VALID = """\
name: mine
_target_: backbones.load
model: keras.applications.mobilenet.MobileNet
preprocessing: keras.applications.mobilenet.preprocess_input
style_layers: [conv1]
content_layer: conv1
weights: random
loss: {content_weight: 1.0, style_weight: 1.0, variation_weight: 0.0}
"""

YAMLS: list[tuple[str, bytes, str]] = [
    ("no YAML", b"name: [mine", "mine.yaml"),
    ("a tab", b"name:\n\tx: 1\n", "mine.yaml"),
    ("twice a key", (VALID + "name: again\n").encode(), "found duplicate key name"),
    ("not UTF-8", b"name: caf\xe9\n", "a YAML in conf/ is not UTF-8"),
    ("a pickle in it", b"name: !!python/object/apply:os.getcwd []\n", "could not determine a cons"),
    ("empty", b"", "backbone"),
    ("a list", b"- name\n", "mine"),
    ("no _target_", VALID.replace("_target_:", "target:").encode(), "backbone._target_=None: must"),
    ("no name", VALID.replace("name: mine\n", "").encode(), "backbone.name=None: must be a text"),
    ("no model", VALID.replace("model:", "modle:").encode(), "Did you mean 'model'?"),
    ("too little", VALID.replace("content_layer: conv1\n", "").encode(), "missing a required arg"),
    (
        "no weights of losses",
        VALID.replace("loss:", "lost:").encode(),
        "backbone.loss.content_weig",
    ),
    ("no module", VALID.replace("backbones.load", "nowhere.load").encode(), "cannot be imported"),
    ("no function", VALID.replace("backbones.load", "os.sep").encode(), "is not a function"),
    ("another default", b"defaults: [nowhere]\n" + VALID.encode(), "nowhere"),
    ("itself a default", b"defaults: [mine]\n" + VALID.encode(), "go round in circles"),
]


@pytest.mark.parametrize(("text", "message"), [y[1:] for y in YAMLS], ids=[y[0] for y in YAMLS])
def test_variants_of_ones_own(text: bytes, message: str, tmp_path: Path, capfd: Capture) -> None:
    file = tmp_path / "conf" / "backbone" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_bytes(text)
    code = benchmark(["--config-dir", str(tmp_path / "conf"), "backbone=mine"], tmp_path)
    check_refused(capfd.readouterr(), code, message, tmp_path / "mlflow.db")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE alembic_version SET version_num = 'ffffffffffff'", "a newer MLflow than the inst"),
        (None, "database disk image is malformed"),
    ],
)
def test_stores(
    change: str | None, message: str, finished: Path, tmp_path: Path, capfd: Capture
) -> None:
    database = tmp_path / "mlflow.db"
    shutil.copy(finished / "mlflow.db", database)
    if change is None:
        os.truncate(database, database.stat().st_size // 2)
    else:
        with sqlite3.connect(database) as opened:
            opened.execute(change)
    os.utime(database, (0, 0))  # nobody is making it
    before = database.read_bytes()
    capfd.readouterr()
    code = benchmark([], tmp_path)
    check_refused(capfd.readouterr(), code, message)
    code = here("benchmark.export", "--tracking-uri", f"sqlite:///{database}")
    check_refused(capfd.readouterr(), code, message)
    assert database.read_bytes() == before


@contextmanager
def as_anybody(folder: Path) -> Iterator[None]:
    """Within the block permissions count, for root too; the folder is to be reached by anybody."""
    root = os.geteuid() == 0
    for part in (folder, *folder.parents):
        if root and part.stat().st_uid == 0 and not part.stat().st_mode & 1:
            pytest.skip(f"{part} is closed to all but root")
    os.seteuid(65534 if root else os.geteuid())
    try:
        yield
    finally:
        os.seteuid(0 if root else os.geteuid())


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that anybody may look into; pytest's own are closed to all but their owner."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


LOCKED: list[tuple[str, str, str]] = [
    ("paintings", "dataset=folder dataset.root={locked}", "cannot be read: Permission denied"),
    ("an artist", "dataset=folder dataset.root={folder}", "locked cannot be read: Permission deni"),
    (
        "a folder below",
        "content=folder content.root={locked}/x",
        "cannot be read: Permission denied",
    ),
    ("weights", "backbone.weights={locked}", "backbone.weights={locked}"),
    ("a weight file", "backbone.weights={folder}/weights.h5", "cannot be read as a weight file"),
    ("a picture", "content=folder content.root={folder}/one", "PermissionError: [Errno 13]"),
    ("cache", "cache={locked}/below", "may not be written to"),
    ("checkpoints", "checkpoint.folder={locked}/below", "may not be written to"),
    ("a new store", "tracking.uri=sqlite:///{locked}/new.db", "may not be written to"),
    ("a store", "tracking.uri=sqlite:///{folder}/store.db", "may not be written to"),
    ("sweeps", "-m hydra.sweep.dir={locked}/below", "may not be written to"),
]


@pytest.mark.parametrize(
    ("line", "message"), [one[1:] for one in LOCKED], ids=[one[0] for one in LOCKED]
)
def test_permissions(line: str, message: str, open_folder: Path, capfd: Capture) -> None:
    locked = open_folder / "locked"
    locked.mkdir()
    notop(open_folder / "weights.h5")
    picture(open_folder / "one" / "a.png")
    picture(open_folder / "one" / "b.png")
    (open_folder / "store.db").write_bytes(b"")
    for path in (locked, open_folder / "weights.h5", open_folder / "one" / "a.png"):
        path.chmod(0)
    (open_folder / "store.db").chmod(0o444)
    names = {"locked": str(locked), "folder": str(open_folder)}
    assert benchmark(["seed=-1"], open_folder) == 2  # all modules are there
    capfd.readouterr()
    with as_anybody(open_folder):
        code = benchmark(shlex.split(line.format(**names)), open_folder)
    check_refused(capfd.readouterr(), code, message.format(**names), open_folder / "mlflow.db")
    locked.chmod(0o700)


def test_a_damaged_download_of_weights(
    tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras knows no checksum of MobileNet's file; the next run must not take it either."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    file = tmp_path / "models" / "mobilenet_1_0_224_tf_no_top.h5"
    file.parent.mkdir()
    whole = keras.applications.MobileNet(include_top=False, weights=None)
    whole.save_weights(tmp_path / "other_layout.weights.h5")
    for content in (b"<html>", (tmp_path / "other_layout.weights.h5").read_bytes()):
        file.write_bytes(content)
        monkeypatch.setattr(workspace, "WORKSPACE", Workspace())
        code = benchmark(["backbone.weights=imagenet"], tmp_path)
        check_refused(
            capfd.readouterr(), code, f"{tmp_path}/models is damaged", tmp_path / "mlflow.db"
        )


@pytest.mark.parametrize(
    ("module", "arguments", "environment", "message"),
    [
        ("benchmark", ["epocs=3"], {}, "Did you mean 'epochs'?"),
        ("benchmark", ["-m", "seed=1"], {"KERAS_BACKEND": "nonsense"}, "KERAS_BACKEND=nonsense: "),
        ("benchmark.layers", ["backbone=vgg"], {"KERAS_BACKEND": "torch"}, "KERAS_BACKEND=torch: "),
    ],
)
def test_real_processes(
    module: str, arguments: list[str], environment: dict[str, str], message: str, tmp_path: Path
) -> None:
    """The same from outside, in a folder that is not the repository's root."""
    own = [store(tmp_path, new=True)] if module == "benchmark" else []
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments, *own],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    check_refused((done.stdout, done.stderr), done.returncode, message, tmp_path / "mlflow.db")
    assert list(tmp_path.iterdir()) == []


NAMES = [
    'O\'Hara "quoted"',
    "two\nlines\tand a tab",
    "caf\udce9 in Latin-1",
    "日本の空 🌊",
    "-m epochs=0",
    "a=b,c [d] ${e} %s {f}",
    "x" * 240,
    "dots...",
    " spaces ",
]
"""Of folders and files, without ending."""


def test_names_of_every_kind_are_names(tmp_path: Path, capfd: Capture) -> None:
    """All the way to MLflow's artifacts and back; two differ only in case."""
    paintings, photographs = tmp_path / "paintings", tmp_path / "photographs"
    for artist in (*NAMES, "Same", "same"):
        for number in range(2):
            picture(paintings / artist / f"{number}{artist[:200]}.png")
    kinds = [("L", "tiff"), ("CMYK", "jpg"), ("P", "gif"), ("RGBA", "webp"), ("1", "bmp")]
    for place, name in enumerate((*NAMES, "Same", "same")):
        mode, kind = kinds[place % len(kinds)]
        picture(photographs / f"{name}.{kind}", (1, 1) if place == 0 else (30, 9), mode)
    Image.fromarray(np.full((9, 9), 60000, "uint16")).save(photographs / "deep.png")
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(photographs / "moving.gif", save_all=True, append_images=frames[1:])
    os.mkfifo(photographs / "pipe.png")
    loop(photographs / "loop.png")
    own = [
        *("dataset=folder", f"dataset.root={paintings}", "dataset.paintings=1"),
        *("content=folder", f"content.root={photographs}", "original_size=true"),
        *("image_size=32", "epochs=1", "batch=99", "metrics=[change]", "snapshots=[0]"),
    ]
    pictures = len(NAMES) + 4
    for chosen in (["dataset.artists=['*']", "content.count=1"], [f"content.count={pictures}"]):
        code = benchmark([*own, *chosen], tmp_path)
        captured = capfd.readouterr()
        assert code == 0, captured.out + captured.err
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db", None)
    tables = [tracker.read_table(run.run_id, "examples.json") for run in tracker.all_runs()]
    assert [len(table) for table in tables] == [len(NAMES) + 2, 2 * pictures]
    for table, run in zip(tables, tracker.all_runs(), strict=True):
        assert len(set(table["picture"])) == len(table)
        for file in table["picture"]:
            assert tracker.read_picture(run.run_id, file).shape == (32, 32, 3)
    for names in (tables[0]["artist"], tables[1]["content"]):
        assert {"caf\\udce9 in Latin-1", "two\\nlines\\tand a tab", "Same", "same"} <= set(names)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for module in ("benchmark.export", "benchmark.report"):
        output = str(tmp_path / module)
        assert here(module, "--tracking-uri", uri, "--output", output) == 0, capfd.readouterr()
