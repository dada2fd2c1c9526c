"""Bad input: each gives one clear line that names the option and its value.

Most rows are composed and prepared in this process, some go through the real command, which must
end with exit code 2 and begin nothing in MLflow. `{tmp}` is an empty folder.
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
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
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
from benchmark.config.registry import leaves, owners
from benchmark.runs.workspace import Workspace
from benchmark.tracking.tracker import Tracker
from benchmark.user_input import InputError, as_override
from tests.commands import TINY, here, store
from tests.workspace import prepared_run

CONF = ROOT / "conf"

Capture = pytest.CaptureFixture[str]

Row = str | tuple[str, ...]
"""Arguments after `python -m benchmark`, of which the first is wrong; or a tuple of these, the
option that the error is about ("" for none), and what its line must contain besides."""

OPTIONS: list[Row] = [
    # Numbers and switches: of a wrong type, out of range, no number at all.
    "seed=abc",
    ("seed=-1", "seed", "must be ≥ 0"),
    "image_size=abc",
    "image_size=31",
    "epochs=0",
    "epochs=nan",
    "epochs=",
    "total_epochs=0",
    "steps_per_epoch=0",
    ("batch=0", "batch", "or auto"),
    ("memory_gb=4", "memory_gb", "batch=auto"),
    "cache=README.md",
    ("precision=float16", "precision", "float32, float32_strict, bfloat16"),
    "shape=round",
    ("scales=[]", "scales", "numbers from small to large that end with 1"),
    "scales=[0.5]",
    "scales=[1,0.5]",
    "scales=half",
    ("image_size=224 scales=[0.1,1]", "scales", "22 pixels a side"),
    "style_scale=0",
    ("image_size=224 style_scale=0.1", "style_scale", "22 pixels a side"),
    (
        "backbone=inception backbone.weights=random image_size=224 scales=[0.143,1]",
        "scales",
        "32 pixels a side, and inception needs 33",
    ),
    ("shape=native backbone.smoothing=softmax", "backbone.smoothing", "shape=square"),
    ("init=nois", "init", "Did you mean 'noise'?"),
    ("init=nowhere.png", "init", "the path of a picture"),
    ("init=README.md", "", "README.md (no picture of a known format"),
    ("init={tmp} content.names=[coffee]", "init", "no image called 'coffee'"),
    ("init=''", "init", "must not be blank"),
    ("init_noise=1.5", "init_noise", "must be at most 1"),
    "init_noise=-0.1",
    "init_noise=nan",
    "same_noise=perhaps",
    "keep=first",
    ("preserve_color=luma", "preserve_color", "none, luminance, linear"),
    "divergence_factor=0.5",
    ("snapshots=5", "snapshots", "must be a list"),
    ("early_stopping=3", "early_stopping", "options of its own"),
    "early_stopping.min_improvement=1.5",
    "early_stopping.patience=0",
    ("evaluation.evaluators=[vgx]", "evaluation.evaluators", "Did you mean 'vgg'?"),
    (
        "evaluation.weights=nowhere.h5 evaluation.evaluators=[vgg] metrics=[style_distance]",
        "evaluation.evaluators",
        "nowhere.h5",
    ),
    "evaluation.held_out=-1",
    "evaluation.others=all",
    ("metrics=[genre_recognition]", "metrics.genre_recognition", "evaluation.classifier="),
    (
        "evaluation.classifier=nowhere metrics=[genre_recognition] tracking.uri=sqlite:///{tmp}/m.db",
        "evaluation.classifier",
        "no folder, and no run",
    ),
    "split=tran",
    "original_size=maybe",
    "estimate=sho",
    ("consistency=flows", "consistency", "none, warm, flow"),
    "video.temporal_weight=-1",
    "video.epochs_after=0",
    "video.cut_share=0",
    ("video=3", "video", "options of its own"),
    ("best_optimizer.optimizers=[adm]", "best_optimizer.optimizers", "Did you mean 'adam'?"),
    ("best_optimizer.overlay=studi", "best_optimizer.overlay", "Did you mean 'study'?"),
    "tracking.experiment=''",
    "tracking.sweep='a b'",
    "tracking.sweep=..",
    "tracking.sweep=" + 81 * "a",
    "tracking.run=-1",
    "checkpoint.folder=README.md",
    "checkpoint.every_seconds=-1",
    "checkpoint.every_epochs=0",
    # Stores that need not be asked.
    ("tracking.uri=mlruns", "tracking.uri", "sqlite:///PATH.db"),
    "tracking.uri=ftp://host/x",
    "tracking.uri=oracle://host/x",
    "tracking.uri=sqlite:///",
    "tracking.uri=sqlite:///{tmp}",
    "tracking.uri=sqlite:////dev/null",
    "tracking.uri=sqlite:///README.md/x.db",
    # What cannot be read, or goes nowhere.
    ("epocs=3", "epocs", "Did you mean 'epochs'?"),
    ("bakbone=resnet", "bakbone", "Did you mean 'backbone'?"),
    ("agregation=simple", "agregation", "Did you mean 'agg'?"),
    ("style_weight=3", "style_weight", "Did you mean 'loss.style_weight'?"),
    (
        "early_stopping.patiance=1",
        "early_stopping.patiance",
        "Did you mean 'early_stopping.patience'?",
    ),
    ("a.b.c=3", "a"),
    ("epochs.x=3", "epochs", "must be an integer"),
    ("+epochs=3", "", "epochs"),
    ("++nonsense=1", "nonsense"),
    ("++loss.style_wieght=1", "loss.style_wieght", "Did you mean 'style_weight'?"),
    ("~epochs", "epochs", "must be given"),
    ("epochs", "", "'epochs' cannot be read"),
    ("epochs==3", "", "'epochs==3' cannot be read"),
    ("'epochs=\"3'", "", "cannot be read"),
    ("''", "", "'' cannot be read"),
    ("=3", "", "'=3' cannot be read"),
    ("'epochs=${nope}'", "epochs", "'nope' not found"),
    ("'cache=${oc.env:NOPE}'", "cache", "'NOPE' not found"),
    ("experiment=quick", "experiment", "Did you mean 'quickstart'?"),
]

VARIANTS: list[Row] = [
    ("backbone=vgx", "backbone", "Did you mean 'vgg'?", "Known: alexnet"),
    "backbone=null",
    ("~backbone", "backbone", "must be given"),
    "backbone.name=null",
    ("backbone.name=resnet", "backbone.name", "backbone=resnet"),
    ("backbone._target_=backbones.lod", "backbone._target_", "cannot be imported"),
    ("~backbone._target_", "backbone._target_", "must be given"),
    "backbone.model=keras.applications.vgg19.VGG20",
    "backbone.model=os.sep",
    "backbone.preprocessing=os.getcwd",
    "backbone.style_layers=[]",
    ("backbone.content_layer=[]", "backbone.content_layer", "name at least one"),
    ("backbone.content_layer=[conv1,cnv_pw_1]", "backbone", "Did you mean 'conv_pw_1'?"),
    ("backbone.content_layer=3", "backbone.content_layer", "must be a text"),
    (
        "backbone.content_weights=[1] backbone.content_layer=[conv1,conv_pw_1]",
        "backbone.content_weights",
        "1 weights for the 2 of backbone.content_layer",
    ),
    ("backbone.content_weights=[0]", "backbone.content_weights", "a weight > 0"),
    ("backbone.content_weights=[-1]", "backbone.content_weights", "must be ≥ 0"),
    ("backbone.weights=imagenot", "backbone.weights", "Did you mean 'imagenet'?"),
    "backbone.weights=''",
    "backbone.random_scale=0",
    ("backbone.pooling=mean", "backbone.pooling", "must be max or avg"),
    ("backbone.layer_weights=[1,2]", "backbone.layer_weights", "2 weights for the 5"),
    ("backbone.layer_weights=[0,0,0,0,0]", "backbone.layer_weights", "a weight > 0"),
    ("backbone.layer_weights=[1,1,1,1,-1]", "backbone.layer_weights", "must be ≥ 0"),
    ("backbone.layer_weights=3", "backbone.layer_weights", "must be a list"),
    ("backbone.padding=224", "backbone.padding", "from 0 to"),
    "backbone.smoothing=sofmax",
    ("backbone.loss.content_weight=x", "loss.content_weight", "must be a number"),
    ("backbone.loss.style_weight=-1", "loss.style_weight", "must be ≥ 0"),
    ("backbone.loss.variation_weight=nan", "loss.variation_weight", "must be a finite number"),
    "+backbone.colour=red",
    ("+backbone.precision=bfloat16", "backbone.precision", "given by the program"),
    ("agg=squard", "agg", "Did you mean 'squared'?"),
    "agg.name=''",
    "agg._target_=benchmark.transfer.aggregation.mean",
    "agg.p=abc",
    ("~agg.p agg=power", "agg.name", "'agg.p' not found"),
    ("agg.weights=[1,2,3]", "agg.weights", "3 weights for the 2 paintings"),
    "agg.weights=[1,0]",
    ("+agg.losses=1", "agg._target_", "cannot be called with losses, weights"),
    ("loss=studi", "loss", "Did you mean 'study'?"),
    "loss.name=null",
    "loss.style=benchmark.transfer.losses.styl",
    "loss.style=os.sep",
    ("loss.content=os.getcwd", "loss.content", "cannot be called with"),
    "loss.content_weight=-1",
    "loss.style_weight=1e300",
    "loss.variation_weight=x",
    ("optimizer=adm", "optimizer", "Did you mean 'adam'?"),
    "optimizer.name=[a]",
    "optimizer._target_=keras.optimizers.Adm",
    ("optimizer._target_=keras.layers.Dense", "optimizer._target_", "keras.optimizers.Optimizer"),
    (
        "optimizer._target_=tests.test_bad_input.transformation",
        "optimizer._target_",
        "keras.optimizers.Optimizer",
    ),
    ("optimizer._target_=builtins.dict", "optimizer._target_", "keras.optimizers.Optimizer"),
    "optimizer.learning_rate=abc",
    "optimizer.learning_rate=0",
    ("~optimizer.learning_rate", "optimizer", "learning_rate"),
    ("optimizer.beta_1=2", "optimizer.beta_1", "must be ≥ 0 and < 1"),
    "optimizer.beta_2=nan",
    "optimizer.epsilon=-1",
    "optimizer.amsgrad=3",
    ("optimizer.momentum=0.9", "optimizer.momentum", "optimizer=rmsprop or optimizer=sgd"),
    ("optimizer.nesterov=x optimizer=sgd", "optimizer.nesterov", "must be true or false"),
    "optimizer.rho=2 optimizer=rmsprop",
    "optimizer.centered=x optimizer=rmsprop",
    ("+optimizer.clipnorm=1", "optimizer.clipnorm", "examples of a batch"),
    ("+optimizer.weight_decay=x", "optimizer"),
    ("optimizer.memory=0 optimizer=lbfgs", "optimizer.memory", "must be ≥ 1"),
    ("optimizer.memory=x optimizer=lbfgs", "optimizer.memory", "must be an integer"),
    "optimizer.max_line_search=0 optimizer=lbfgs",
    "optimizer.learning_rate=-1 optimizer=lbfgs",
    ("optimizer.memory=10", "optimizer.memory", "optimizer=lbfgs"),
    ("optimizer.lr=0.1", "optimizer.lr", "Did you mean 'optimizer.learning_rate'?"),
    ("+optimizer.learning_rates=1", "optimizer.learning_rates", "Did you mean 'learning_rate'?"),
    ("dataset=sampel", "dataset", "Did you mean 'sample'?"),
    "dataset.name=null",
    ("dataset._target_=datasets.sample.content", "dataset.artists", "no such argument"),
    ("dataset._target_=tests.test_bad_input.no_sets", "dataset._target_", "list[ImageSet]"),
    ("dataset=folder", "dataset.root", "must be given"),
    ("dataset=files dataset.paths=[{tmp}]", "dataset.paths", "no images"),
    ("dataset.root=x", "dataset.root", "dataset=best_artworks", "dataset=movies"),
    "dataset.root=nowhere dataset=folder",
    ("dataset.root=" + 300 * "a" + " dataset=folder", "", "File name too long"),
    "dataset.artists=[]",
    ("'dataset.artists=[Ambér Nocturne,Dalí]'", "dataset.artists", "Dalí"),
    ("dataset.artists=[amber_nocturn]", "dataset.artists", "Did you mean 'amber_nocturne'?"),
    ("dataset.genre=Cubism", "dataset.genre", "dataset=best_artworks"),
    ("dataset.nationality=French", "dataset.nationality", "dataset=best_artworks"),
    ("dataset.born=[1,2]", "dataset.born", "dataset=best_artworks"),
    ("dataset.group_by=genre", "dataset.group_by", "dataset=best_artworks"),
    ("dataset.root={best_artworks:x} dataset=folder", "dataset.root", "add folder:…"),
    ("dataset.root={foldr:x} dataset=folder", "dataset.root", "must be a text"),
    ("optimizer.learning_rate={sgd:1,adam:x}", "optimizer.learning_rate", "must be a number"),
    ("dataset.root=nowhere dataset=movies", "dataset.root", "no such folder"),
    ("dataset.root={tmp} dataset=movies", "dataset.root", "no movies_metadata.csv"),
    ("dataset.films=0 dataset=movies", "dataset.films", "must be > 0"),
    ("dataset.pictures=trailers dataset=movies", "dataset.pictures", "posters or backdrops"),
    ("dataset.several_genres=last dataset=movies", "dataset.several_genres", "first or left_out"),
    ("dataset.genres=[[a]] dataset=movies", "dataset.genres", "must be a text"),
    ("dataset.paintings=0", "dataset.paintings", "must be > 0"),
    ("dataset.paintings=61", "dataset.paintings", "60"),
    "dataset.selection=newest",
    "dataset.clusters=0",
    ("dataset.selection=top", "dataset.selection", "needs dataset.classifier="),
    (
        "dataset.classifier=nowhere tracking.uri=sqlite:///{tmp}/m.db",
        "dataset.classifier",
        "no folder, and no run",
    ),
    ("dataset.classifier={tmp}", "dataset.classifier", "is no classifier"),
    ("dataset.blend={amber_nocturne:1,nobody:2}", "dataset.blend", "no such name"),
    ("dataset.blend={amber_nocturne:-1}", "dataset.blend.amber_nocturne", "must be ≥ 0"),
    ("dataset.blend={amber_nocturne:0}", "dataset.blend", "a weight > 0"),
    ("dataset.blend={}", "dataset.blend", "a weight > 0"),
    ("dataset.blend=amber_nocturne", "dataset.blend", "must be numbers by name"),
    ("dataset.blend=[amber_nocturne]", "dataset.blend", "must be a number"),
    ("dataset.blend=[1.5,2.5,0.5]", "dataset.blend", "3 weights for 2 artists"),
    ("dataset=files dataset.paths=[{tmp}] dataset.blend={A:1}", "dataset.blend", "in their order"),
    ("dataset=styles", "dataset.styles", "must be given"),
    ("dataset=styles dataset.styles=[sample,no/such]", "dataset.styles", "no such file or folder"),
    ("dataset.blend={amber_nocturne:1,amber:2}", "dataset.blend", "give each of them one"),
    ("dataset.blend={*:1}", "dataset.blend", "give each of them one"),
    (
        "dataset.blend={amber_nocturne:1} dataset.artists=[amber_nocturne]",
        "dataset.blend",
        "leave dataset.artists out",
    ),
    (
        "dataset.blend={amber_nocturne:1} dataset.selection=cluster",
        "dataset.blend",
        "one set of each artist",
    ),
    (
        "dataset.blend={amber_nocturne:1} agg.weights=[1,2]",
        "agg.weights",
        "dataset.blend weights the paintings too",
    ),
    ("content=sampel", "content", "Did you mean 'sample'?"),
    "content.name=3",
    ("content._target_=datasets.sample.paintings", "content._target_", "ImageSet"),
    ("content=folder", "content.root", "must be given"),
    ("content=files", "content.paths", "must be given"),
    ("content=files content.paths=[nowhere.jpg]", "content.paths", "no such file or folder"),
    ("content=files content.paths=[]", "content.paths", "name a file or folder"),
    ("content.root={tmp} content=folder", "content.root", "no images"),
    ("content.names=[cofee]", "content.names", "Did you mean 'coffee'?"),
    "content.count=0",
    "content.train=-2",
    ("content.masks=nowhere", "content.masks", "no such folder"),
    ("dataset.masks=nowhere", "dataset.masks", "it needs one for each artist"),
    ("dataset.masks=''", "dataset.masks", "must not be blank"),
    ("content.masks=README.md", "", "README.md (no picture of a known format"),
    ("content.masks={tmp}", "content.masks", "it needs one for each picture"),
    ("content.masks=''", "content.masks", "must not be blank"),
    "content.masks=3",
    ("content.test=99 split=test", "split", "content.test=99"),
    ("metrics=[ssin]", "metrics", "Did you mean 'ssim'?"),
    "metrics.ssim=null",
    "metrics.ssim._target_=null",
    "metrics.ssim._target_=benchmark.metrics.pixels.sim",
    ("metrics.ssim._target_=os.getcwd", "metrics.ssim._target_", "is not a metric"),
    "metrics.ssim.label=null",
    "metrics.ssim.better=big",
    "metrics.ssim.range=[0]",
    "metrics.ssim.about=null",
    "metrics.recognition.rate=perhaps",
    "metrics.classifier_accuracy.interval=x",
    "metrics.frechet_distance.at_least=0",
    "metrics.frechet_distance.whole_run=perhaps",
    "metrics.grain.reference=all",
    ("~metrics.grain.reference", "metrics.grain.reference", "must be style_set, held_out or"),
    "metrics.grain.sigma=0",
    ("metrics.grain.sgma=1", "metrics.grain.sgma", "Did you mean 'metrics.grain.sigma'?"),
    "metrics.colour_distance.directions=0",
    "metrics.style_distance.over=median",
]

MORE: list[Row] = [
    "seed=1.5",
    "seed=99999999999999999999999",
    ("image_size=8193", "image_size", "must be at most 8192"),
    "image_size=inf",
    ("image_size=null", "image_size", "must not be null"),
    "image_size=[48]",
    "epochs=99999999999999999999999",
    "batch=al",
    "batch=null",
    "memory_gb=-1 batch=auto",
    "memory_gb=nan batch=auto",
    "cache=README.md/below",
    "divergence_factor=nan",
    "divergence_factor=inf",
    "snapshots=[1,-3]",
    ("snapshots=[1.5]", "snapshots[0]", "must be an integer"),
    "early_stopping.min_improvement=-1",
    "early_stopping.patience=1.5",
    "evaluation.evaluators=vgg",
    "tracking.sweep=../x",
    "checkpoint.every_seconds=nan",
    ("backbone=[vgg,resnet]", "backbone", "-m backbone=A,B"),
    "backbone._target_=backbones",
    ("backbone._target_=os.getcwd", "backbone.model", "no such argument"),
    "backbone.model=os.getcwd",
    ("backbone.model=builtins.dict", "backbone.model", "keras.Model"),
    "backbone.preprocessing=builtins.str",
    ("backbone.style_layers=[conv1,cnv_pw_1]", "", "Did you mean 'conv_pw_1'?"),
    "backbone.style_layers=conv1",
    "backbone.weights=/dev/zero",
    "backbone.random_scale=1e300",
    ("backbone=inception", "", "75x75"),
    "agg.p=nan agg=power",
    ("agg.p=3", "agg.p", "agg=power"),
    "agg.weights=[1,nan]",
    "agg.weights=[1,a]",
    "agg.weights=3",
    ("loss.style_weight=0 loss.content_weight=0", "", "all loss weights are 0"),
    "optimizer.learning_rate=-inf",
    "optimizer.momentum=2 optimizer=sgd",
    ("dataset.root=README.md dataset=folder", "dataset.root", "not a folder"),
    "dataset.root={tmp} dataset=folder",
    "dataset.root={tmp} dataset=best_artworks",
    "dataset.artists=3",
    "dataset.artists=['no*']",
    "dataset.group_by=x dataset=best_artworks",
    "dataset.born=[1,x] dataset=best_artworks",
    "dataset.paintings=many",
    ("dataset.clusters=99 dataset.selection=cluster", "dataset.clusters"),
    "content.root={tmp} content=imagenet_mini",
    ("content.root=x", "content.root", "content=folder or content=imagenet_mini"),
    "content.names=coffee",
    ("split=train content.names=[coffee]", "split", "leave one out"),
    ("content.count=99", "content.count", "8"),
    "content.count=many",
    "metrics=3",
    "metrics.grain.sigma=1e9",
]
"""More of the same kinds, for the long form."""

COMMAND: list[Row] = [
    ("epocs=3", "epocs", "Did you mean 'epochs'?"),
    ("backbone.pooling=mean", "backbone.pooling", "must be max or avg"),
    ("hydra/launcher=nope -m", "hydra/launcher=nope"),
    ("best_optimizer.experiment=study", "", "split=test"),
    ("tracking.run=7", "tracking.sweep", "no such sweep"),
    ("--multirn", "", "Did you mean '--multirun'?"),
    ("--epochs=3", "", "unrecognized arguments: --epochs=3."),
    ("--cfg nope", "", "invalid choice: 'nope'"),
    ("--config-dir /nowhere", "", "'/nowhere' not found"),
    ("hydra.mode=SIDEWAYS", "hydra.mode", "SIDEWAYS"),
    # Sweeps, with a bad cell among good ones.
    ("-m image_size=48,5", "image_size=5", "must be ≥ 32"),
    ("-m dataset.paintings=2,3,61", "dataset.paintings=61"),
    (
        "-m dataset=folder,best_artworks dataset.root={folder:nowhere,best_artworks:x}",
        "dataset.root=nowhere",
        "no such folder",
    ),
    ("-m dataset=sample,folder dataset.root={folder:nowhere}", "dataset.root=nowhere", "no such"),
    ("-m experiment=study_small_test", "", "with adam is missing; with sgd is missing; with"),
    ("-m tracking.sweep=a,b", "tracking", "cannot be swept"),
    ("-m 'seed=range(3,1)'", "", "seed=range(3,1)"),
    ("-m 'seed=range(0,3'", "", "cannot be read"),
    ("agg=simple,squared", "agg=simple,squared", "needs -m"),
    ("-m hydra.sweep.dir=README.md", "hydra.sweep.dir", "README.md is not a folder"),
    # Stores that must be asked.
    ("tracking.uri=sqlite:////proc/nope/x.db", "tracking.uri"),
    ("tracking.uri=sqlite:///README.md", "tracking.uri", "not a database"),
    ("tracking.uri=http://127.0.0.1:9", "tracking.uri=http://127.0.0.1:9", "no server answers"),
    ("tracking.uri=http://127.0.0.1:x", "tracking.uri", "nonnumeric port: 'x'"),
    ("-m tracking.uri=http://127.0.0.1:9 agg=simple,squared", "tracking.uri", "no server"),
]
"""What only the command itself finds out, and two that others find; the second is how the line
begins."""


COMMANDS: list[tuple[str, Row]] = [
    ("benchmark.layers", ("backbone=restnet", "backbone", "Did you mean 'resnet'?")),
    ("benchmark.layers", ("backbone=null", "backbone=null")),
    ("benchmark.layers", ("nonsense", "", "'nonsense' cannot be read")),
    ("benchmark.layers", ("backbone=inception image_size=33", "", "75x75")),
    ("benchmark.calibrate", ("backbone=vgg,vgx", "backbone=vgx")),
    ("benchmark.calibrate", ("epochs=0", "epochs=0")),
    (
        "benchmark.calibrate",
        (
            "backbone=mobilenet backbone.weights=random image_size=32 dataset.paintings=1 "
            "init=noise",
            "init=noise",
        ),
    ),
    ("benchmark.peakiness", ("backbone=vgx", "backbone=vgx")),
    ("benchmark.peakiness", ("backbone.weights=nowhere.h5", "backbone.weights=nowhere.h5")),
    ("benchmark.export", ("{uri} --sweep nope", "", "'nope'")),
    ("benchmark.export", ("{uri} --sweep ../x", "--sweep ../x")),
    ("benchmark.export", ("{uri} --run nope", "--run nope")),
    ("benchmark.export", ("{uri} --experiment styl", "", "'styl'")),
    ("benchmark.export", ("{uri} study --sweep x", "", "--sweep")),
    ("benchmark.export", ("{uri} studi", "", "'studi'")),
    ("benchmark.export", ("{uri} --output README.md", "", "README.md")),
    ("benchmark.export", ("--swep x", "", "Did you mean '--sweep'?")),
    ("benchmark.export", ("--sweep", "", "--sweep: expected one argument")),
    ("benchmark.export", ("--tracking-uri sqlite:///{tmp}/x.db", "", "{tmp}/x.db")),
    ("benchmark.export", ("--tracking-uri sqlite:///{tmp}", "", "{tmp}", "is not a file")),
    ("benchmark.export", ("--tracking-uri mlruns", "", "=mlruns: ", "sqlite:///PATH.db")),
    ("benchmark.ui", ("nope {uri}", "tracking.sweep=nope")),
    ("benchmark.ui", ("it's {uri}".replace("'", "\\'"), "tracking.sweep=it's")),
    ("benchmark.ui", ("{uri} --port 99999", "--port 99999")),
    ("benchmark.ui", ("--tracking-uri http://127.0.0.1:9", "tracking.uri=http://127.0.0.1:9")),
    ("benchmark.ui", ("--tracking-uri sqlite:///{tmp}/x.db", "", "{tmp}/x.db")),
    ("benchmark.report", ("{uri} --sweep nope", "", "'nope'")),
    ("benchmark.report", ("a {uri} extra", "", "unrecognized arguments: extra")),
    ("benchmark.evaluate", ("{uri} epochs=3", "epochs=3")),
    ("benchmark.evaluate", ("{uri} metrics=[ssin]", "metrics=ssin", "Did you mean 'ssim'?")),
    (
        "benchmark.evaluate",
        ("{uri} metrics=[ssim] metrics.ssim.better=x", "metrics.ssim.better=x"),
    ),
    ("benchmark.evaluate", ("{uri} evaluation.evaluators=[vgx]", "evaluation.evaluators=vgx")),
    ("benchmark.evaluate", ("{uri} evaluation.held_out=-1", "evaluation.held_out=-1")),
    ("benchmark.evaluate", ("{uri} --run nope", "--run nope")),
    ("benchmark.evaluate", ("--inputs {tmp}/a --pictures {tmp}/b", "", "not allowed with")),
    (
        "benchmark.evaluate",
        ("--inputs /proc/no backbone=mobilenet metrics=[] image_size=32", "--inputs /proc/no"),
    ),
    ("benchmark.rate", ("{uri} --read none.json", "--read none.json")),
    ("benchmark.rate", ("{uri} --read a.json --limit 9", "", "--limit")),
    ("benchmark.rate", ("{uri} --seed -1", "", "--seed")),
    ("benchmark.rate", ("x {uri} --sweep y", "", "named twice")),
    ("benchmark.rate", ("{uri} nope", "", "'nope'")),
    ("benchmark.rate", ("{uri} --limit many", "", "--limit", "'many'")),
    ("benchmark.genre", ("", "", "--help lists")),
    ("benchmark.genre", ("fitt", "", "invalid choice: 'fitt'")),
    ("benchmark.genre", ("fit fit.epochs=0", "fit.epochs=0")),
    ("benchmark.genre", ("fit nonsense", "nonsense", "no part in fitting")),
    ("benchmark.genre", ("predict {tmp}/no.jpg {uri}", "--classifier last", "no classifier yet")),
    ("benchmark.genre", ("page {uri}", "", "experiment=genre")),
    ("benchmark.questions", ("{uri}", "", "question")),
    ("benchmark.questions", ("--outptu x", "", "Did you mean '--output'?")),
    ("benchmark.questions", ("tool", "", "questions or tools")),
    ("benchmark.resume", ("{uri} nope", "tracking.sweep=nope", "no such sweep")),
    ("benchmark.resume", ("{uri} --forse", "", "Did you mean '--force'?")),
    ("benchmark.bench", ("--only nope", "", "--only: invalid choice: 'nope'")),
    ("benchmark.bench", ("--gpu --only step", "--gpu")),
    ("benchmark.bench", ("--quick --output README.md", "--output README.md")),
    ("benchmark.bench", ("--repeats 0", "", "--repeats")),
    ("datasets.fetch", ("", "", "NAME")),
    ("datasets.fetch", ("best_artwork", "", "Did you mean 'best_artworks'?")),
    ("datasets.fetch", ("best_artworks imagenet_mini --root x", "--root")),
    ("datasets.fetch", ("best_artworks --root README.md", "", "README.md")),
    ("datasets.fetch", ("movis", "", "Did you mean 'movies'?")),
    ("datasets.describe", ("dataset=movies dataset.root={tmp}", "dataset.root={tmp}")),
    ("datasets.describe", ("dataset=sampel", "", "Did you mean 'sample'?")),
    ("datasets.describe", ("nonsense", "", "cannot be read as option=value")),
    ("datasets.describe", ("dataset=folder", "dataset.root", "must be given")),
    ("datasets.describe", ("dataset=folder dataset.rot=x", "", "Did you mean 'dataset.root'?")),
    ("datasets.describe", ("dataset=folder dataset.root={tmp}", "dataset.root={tmp}")),
]
"""The other commands; the second is how the line begins."""


def no_sets(artists: object) -> int:
    """A dataset's function with a defect."""
    return 3


def transformation(learning_rate: "float | np.random.Generator") -> tuple[str, ...]:
    """An optimiser, but not of Keras; as Optax's, with a type that no YAML can give."""
    return ()


def check_error(error: InputError, option: str, value: str | None, words: Iterable[str]) -> None:
    """The contract of every error: one line, about this option, which names what it was given."""
    line = str(error)
    assert "\n" not in line
    assert (error.option or "") == option, line
    if value is not None and error.value is not ...:
        given = as_override(error.value)
        assert given in value or float(given) == float(value), line
    for word in words:
        assert word in line


def check_refused(
    captured: tuple[str, str],
    code: int,
    beginning: str,
    words: Iterable[str] = (),
    database: Path | None = None,
) -> None:
    """The contract of every command: one line, exit code 2, and nothing was begun."""
    output, error = captured
    assert code == 2, output + error
    assert error.startswith(f"error: {beginning}"), error
    assert error.count("\n") == 1, error
    for word in words:
        assert word in error
    assert "Traceback" not in output + error
    assert "Run 1" not in output
    assert database is None or runs_of(database) == 0


def runs_of(database: Path) -> int:
    """How many runs a store holds; 0 where there is none, or what is there is none."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
            return int(opened.execute("SELECT COUNT(*) FROM runs").fetchone()[0])
    except sqlite3.Error:
        return 0


SMALL = [*TINY, "backbone=mobilenet", "dataset.paintings=2"]


def over_defaults(arguments: list[str]) -> list[str]:
    """The arguments after tiny defaults, without those that they give themselves."""
    given = {argument.partition("=")[0].lstrip("+~") for argument in arguments}
    # Each metric costs the time of reading its YAML.
    chosen = {option.split(".")[1] for option in given if option.startswith("metrics.")}
    small = [*SMALL, f"metrics=[{','.join(chosen or ['change'])}]"]
    return [*(one for one in small if one.partition("=")[0] not in given), *arguments]


def refusal(arguments: list[str]) -> InputError:
    """What composing and preparing a run with these arguments raises."""
    with pytest.raises(InputError) as raised:
        prepared_run(*over_defaults(arguments))
    return raised.value


def benchmark(arguments: list[str], folder: Path) -> int:
    """`python -m benchmark` with these over tiny defaults and a store of the test's own."""
    own = [] if any("tracking.uri" in one for one in arguments) else [store(folder)]
    return here("benchmark", *over_defaults(arguments), *own)


def parts(row: Row) -> tuple[str, str, str | None, tuple[str, ...]]:
    """A row's arguments, the option that its error is about, the value that it shows, and words."""
    line, *expected = (row,) if isinstance(row, str) else row
    first, _, value = shlex.split(line)[0].lstrip("+~").partition("=")
    if not expected:
        return line, first, value, ()
    return line, expected[0], value if expected[0] == first else None, tuple(expected[1:])


@pytest.mark.parametrize(
    "row",
    [*OPTIONS, *VARIANTS, *(pytest.param(row, marks=pytest.mark.faults) for row in MORE)],
    ids=lambda row: parts(row)[0][:60],
)
def test_options(row: Row, tmp_path: Path) -> None:
    line, option, value, words = parts(row)
    at = str(tmp_path)
    error = refusal(shlex.split(line.replace("{tmp}", at)))
    check_error(error, option, value and value.replace("{tmp}", at), words)


@pytest.mark.parametrize("row", COMMAND, ids=lambda row: row[0][:60])
def test_the_command(row: tuple[str, ...], tmp_path: Path, capfd: Capture) -> None:
    line, beginning, *words = row
    code = benchmark(shlex.split(line), tmp_path)
    check_refused(capfd.readouterr(), code, beginning, words, tmp_path / "mlflow.db")


def test_every_option_has_a_bad_row() -> None:
    """Options of `conf/`: those of metrics without the metric's name, the rest dotted in full."""
    main = yaml.safe_load((CONF / "config.yaml").read_text())
    groups = {key for one in main.pop("defaults") if isinstance(one, dict) for key in one}
    del main["hydra"]
    options = {*leaves(main), *(group for group in groups if " " not in group)}
    options |= {option for option in owners() if not option.startswith("experiment.")}
    tried = set()
    for row in [*OPTIONS, *VARIANTS, *MORE, *COMMAND]:
        for argument in shlex.split(parts(row)[0]):
            tried.add(argument.lstrip("+~").partition("=")[0])
    without_name = {re.sub(r"^metrics\.\w+\.", "metrics.", option) for option in options}
    tried = {re.sub(r"^metrics\.\w+\.", "metrics.", option) for option in tried}
    missing = sorted(without_name - tried)
    assert not missing, f"give these options a row of bad input: {', '.join(missing)}"
    assert {key.partition(".")[0] for key in owners()} == {g for g in groups if " " not in g}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one finished run."""
    folder = tmp_path_factory.mktemp("finished")
    assert benchmark(["metrics=[change]", "image_size=32"], folder) == 0
    return folder


@pytest.mark.parametrize(("module", "row"), COMMANDS, ids=lambda part: str(part)[:60])
def test_commands(
    module: str, row: tuple[str, ...], finished: Path, tmp_path: Path, capfd: Capture
) -> None:
    uri = f"--tracking-uri sqlite:///{finished}/mlflow.db"
    line, beginning, *words = (
        part.replace("{uri}", uri).replace("{tmp}", str(tmp_path)) for part in row
    )
    capfd.readouterr()
    code = here(module, *shlex.split(line))
    check_refused(capfd.readouterr(), code, beginning, words)
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


def claimed(width: int, height: int) -> bytes:
    """A PNG cut short, with the size that it says it has."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + checksum + b"\0\0\0\1IDAT"
    )


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


def masks(*places: str, size: tuple[int, int] = (10, 10), white: int = 255) -> Maker:
    """Masks at some places, all of one grey, beside a content picture of 20 × 20 pixels."""

    def make(folder: Path) -> list[str]:
        picture(folder / "contents" / "a.png")
        for place in places:
            file = folder / "masks" / place
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", size, white).save(file)
        given = ["content=folder", "content.count=1", f"content.root={folder / 'contents'}"]
        return [*given, f"content.masks={folder / 'masks'}"]

    return make


def painting_masks(*places: str) -> Maker:
    """Masks at some places for the paintings of built-in artists, of which none is called 'a'."""

    def make(folder: Path) -> list[str]:
        masks(*places)(folder)
        return [f"dataset.masks={folder / 'masks'}"]

    return make


PICTURES: list[tuple[str, Maker, str]] = [
    ("empty", content_file("b.png", b""), "b.png (empty: copy or download it"),
    ("no picture", content_file("b.jpg", b"hello"), "b.jpg (no picture of a known"),
    ("a web page", content_file("b.png", b"<!DOCTYPE html><html>"), "b.png (a web page: d"),
    ("PNG cut short", content_file("b.png", cut_short("png")), "b.png (OSError: image file is tr"),
    ("JPEG cut short", content_file("b.jpg", cut_short("jpg")), "b.jpg (OSError: image file is"),
    ("a bomb", content_file("b.png", blank(20_000, 20_000)), "pixels in only 1,"),
    ("beyond the limit", content_file("b.png", claimed(40_000, 30_000)), "over 1000 megapixels"),
    ("no width", content_file("b.png", blank(0, 9)), "b.png ("),
    (
        "a program",
        content_file("b.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        "PostS",
    ),
    ("no numbers", content_file("b.tiff", float_tiff), "some pixels are not finite numbers"),
    ("a broken painting", painting_file("2.png", b"x"), "1 of the 2 images of 'Ada' cannot be"),
    ("too few paintings", painting_file("2.txt", b"x"), "dataset.paintings=2: 'Ada' has only 1"),
    ("no artists", pictures_without_artists, "put each artist's into a subfolder"),
    ("an archive as folder", kaggles_archive_as_folder, "use dataset=best_artworks"),
    ("unfinished download", unfinished_download, "its download was interrupted; resume with"),
    ("no table", archive_with(b"\x00\x01\x02"), "artists.csv"),
    ("table not UTF-8", archive_with(b"name\nD\xfcrer\n"), "cannot be read as a table"),
    ("table without columns", archive_with(b"name,years\nAda,1900\n"), "it has no column genre"),
    ("two masks of one name", masks("a.png", "a.bmp"), "two images called 'a' in this folder"),
    ("only a pipe", no_pictures_but(os.mkfifo), "no images in this folder"),
    ("only a folder", no_pictures_but(Path.mkdir), "no images in this folder"),
    ("only a loop of links", no_pictures_but(loop), "no images in this folder"),
    ("only a broken link", no_pictures_but(lambda p: p.symlink_to("no")), "no images"),
    ("a loop of links as folder", looped_root, "no such folder"),
    ("a folder not in UTF-8", undecodable_root, "is not UTF-8"),
    ("no mask", masks("b.png"), "no image called 'a' in this folder"),
    ("a black mask", masks("a.png", white=0), "nothing is white in what masks 'a'"),
    ("black masks", masks("amber/a.png", "cathedral_glass/a.png", white=0), "nothing is white"),
    ("a longer mask", masks("a.png", size=(20, 10)), "has 20 × 10 pixels, and its picture"),
    ("masks of one artist", masks("amber/a.png"), "no subfolder for 'cathedral_glass'"),
    ("no mask of one", masks("amber/a.png", "cathedral/b.png"), "no image called 'a' in this"),
    (
        "two folders of one artist",
        masks("amber/a.png", "nocturne/a.png", "cathedral_glass/a.png"),
        "several subfolders for 'amber_nocturne'",
    ),
    ("no mask of a painting", painting_masks("amber/a.png", "glass/a.png"), "no image called '"),
    ("painting masks of one artist", painting_masks("amber/a.png"), "for 'cathedral_glass'"),
    ("painting masks of no artist", painting_masks("a.png"), "it needs one for each artist"),
    ("masks of two kinds", masks("a.png", "amber/a.png"), "keep only the one or the other"),
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
    ("make", "words"), [(m, t) for _, m, t in PICTURES], ids=[p[0] for p in PICTURES]
)
def test_pictures(make: Maker, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    error = str(refusal(make(folder)))
    assert words in error
    assert "\n" not in error


@pytest.mark.parametrize(
    ("make", "words"), [(m, t) for _, m, t in WEIGHTS], ids=[w[0] for w in WEIGHTS]
)
def test_weights(make: Callable[[Path], object], words: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    make(path)
    error = str(refusal([f"backbone.weights={path}"]))
    assert words in error
    assert str(path) in error
    assert "\n" not in error


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
    (
        "no _target_",
        VALID.replace("_target_:", "target:").encode(),
        "_target_: must be given",
    ),
    ("no name", VALID.replace("name: mine\n", "").encode(), "backbone.name: must be given"),
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
    ("itself a default", b"defaults: [mine]\n" + VALID.encode(), "include each other in a circle"),
]


@pytest.mark.parametrize(("text", "words"), [y[1:] for y in YAMLS], ids=[y[0] for y in YAMLS])
def test_variants_of_ones_own(text: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "conf" / "backbone" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_bytes(text)
    error = str(refusal([f"hydra.searchpath=[file://{tmp_path}/conf]", "backbone=mine"]))
    assert words in error
    assert "\n" not in error


@pytest.mark.parametrize("name", ["itself a default", "not UTF-8"])
def test_a_variant_in_a_folder_of_ones_own(name: str, tmp_path: Path, capfd: Capture) -> None:
    text, words = {row[0]: row[1:] for row in YAMLS}[name]
    file = tmp_path / "conf" / "backbone" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_bytes(text)
    code = benchmark(["--config-dir", str(tmp_path / "conf"), "backbone=mine"], tmp_path)
    check_refused(capfd.readouterr(), code, "", [words], tmp_path / "mlflow.db")


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
        with closing(sqlite3.connect(database)) as opened, opened:
            opened.execute(change)
    os.utime(database, (0, 0))  # nobody is making it
    before = database.read_bytes()
    capfd.readouterr()
    code = benchmark([], tmp_path)
    check_refused(capfd.readouterr(), code, "", [message])
    code = here("benchmark.export", "--tracking-uri", f"sqlite:///{database}")
    check_refused(capfd.readouterr(), code, "", [message])
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


LOCKED = [
    "dataset.root={locked} dataset=folder",
    "dataset.root={folder} dataset=folder",
    "content.root={locked}/x content=folder",
    "backbone.weights={locked}",
    "backbone.weights={folder}/weights.h5",
    "content.root={folder}/one content=folder",
    "cache={locked}/below",
    "checkpoint.folder={locked}/below",
    "tracking.uri=sqlite:///{locked}/new.db",
    "tracking.uri=sqlite:///{folder}/store.db",
    "hydra.sweep.dir={locked}/below -m",
]
"""What may not be read or written; each of a kind of its own."""


@pytest.mark.parametrize("line", LOCKED)
def test_permissions(line: str, open_folder: Path, capfd: Capture) -> None:
    locked, weights = open_folder / "locked", open_folder / "weights.h5"
    locked.mkdir()
    weights.write_bytes(b"any")
    first = picture(open_folder / "one" / "a.png")
    picture(open_folder / "one" / "b.png")
    database = open_folder / "store.db"
    database.write_bytes(b"")
    for path in (locked, weights, first):
        path.chmod(0)
    database.chmod(0o444)
    arguments = shlex.split(line.format(locked=locked, folder=open_folder))
    with as_anybody(open_folder):
        if "-m" in arguments:
            code = benchmark(arguments, open_folder)
            check_refused(capfd.readouterr(), code, "hydra.sweep.dir=", ["no permission"])
        else:
            error = refusal(arguments)
            assert error.option in (arguments[0].partition("=")[0], None)
            assert str(open_folder) in str(error)
            assert "\n" not in str(error)
    locked.chmod(0o700)


def test_a_damaged_download_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras knows no checksum of MobileNet's file; the next run must not take it either."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    file = tmp_path / "models" / "mobilenet_1_0_224_tf_no_top.h5"
    file.parent.mkdir()
    whole = keras.applications.MobileNet(include_top=False, weights=None)
    whole.save_weights(tmp_path / "other_layout.weights.h5")
    for content in (b"<html>", (tmp_path / "other_layout.weights.h5").read_bytes()):
        file.write_bytes(content)
        monkeypatch.setattr("tests.workspace.WORKSPACE", Workspace())
        assert f"{tmp_path}/models is damaged" in str(refusal(["backbone.weights=imagenet"]))


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
    output = done.stdout, done.stderr
    check_refused(output, done.returncode, "", [message], tmp_path / "mlflow.db")
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
