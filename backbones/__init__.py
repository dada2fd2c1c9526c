"""Backbones: frozen, cut convolutional networks that name their activations.

A backbone takes images in [0, 1], does its own preprocessing, and returns the activations of its
style layers and its content layer. Nothing above the deepest of them is computed. One YAML in
`conf/backbone/` describes one; a network that Keras's applications lack needs one small function.
May import `benchmark.user_input` alone.
"""

from backbones.network import Backbone, BackboneCache, LayerReport, list_layers, load
from backbones.weights import BackboneError

__all__ = ["Backbone", "BackboneCache", "BackboneError", "LayerReport", "list_layers", "load"]
