"""Generators whose networks torch computes, as a new plugin begins."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar, cast

from calozoo_core.network_generator import NetworkGenerator
from calozoo_core.weights.layout import Layout
from calozoo_core.weights.trained_model import TrainedModel

__all__ = ["TorchGenerator"]

Trained = TypeVar("Trained", bound=TrainedModel)


class TorchGenerator(NetworkGenerator[Any], Generic[Trained]):
    """Generator made of torch networks, which loads and saves itself.

    A plugin derives from this, names its `TrainedModel`, and implements `prepare` and `sample`.
    """

    #: Class of `networks`.
    trained_model: ClassVar[type[TrainedModel]]
    runtimes = ("torch",)

    def __init_subclass__(cls, **named: Any) -> None:
        """Take the class of the configuration from the trained model."""
        super().__init_subclass__(**named)
        if "trained_model" in vars(cls):
            cls.schema = cls.trained_model.schema

    @classmethod
    def layout(cls, config: Any) -> Layout:
        return cls.trained_model.layout(config)

    @cached_property
    def networks(self) -> Trained:
        """Trained model in torch, ready for inference."""
        return cast(Trained, self.trained_model.from_arrays(self.trained))
