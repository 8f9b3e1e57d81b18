"""The parts of a model's folder, each loaded when it is asked for: networks, tokenizers, configurations.

Only parts are loaded, never a whole pipeline. Attention is torch's scaled_dot_product_attention: diffusers and
transformers choose it by themselves, and nothing here changes it. Both libraries take some seconds to import, so they
are imported with the first part.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dreamfusion_engine.config.stages import Precision as Precision
from dreamfusion_engine.errors import SetupError
from dreamfusion_engine.hub.selection import INDEX
from dreamfusion_engine.machine.backends import computes_bfloat16, has_bfloat16
from dreamfusion_engine.machine.device import trim_heap
from dreamfusion_engine.models.adapters.files import NO_ADAPTERS, AdapterFiles
from dreamfusion_engine.models.adapters.learned_word import spelt_out
from dreamfusion_engine.models.adapters.lora_merge import merge_lora
from dreamfusion_engine.models.adapters.textual_inversion import teach_encoder, teach_tokenizer
from dreamfusion_engine.models.family import FAMILIES, IMAGE_ENCODER, Family
from dreamfusion_engine.models.multi_view import read_denoiser_config
from dreamfusion_engine.models.pipeline_folder import PipelineFolder, damaged, read_json
from dreamfusion_engine.models.sizes import HALF_ABOVE

Place = Callable[[str, nn.Module], nn.Module]
SENTENCEPIECE = (("sentencepiece", "sentencepiece"), ("protobuf", "google.protobuf"))  # package, module
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Parts:
    """A checked pipeline folder, for one device and precision.

    folder: PipelineFolder of the model.
    device: torch.device, where it computes.
    precision: of the denoiser. 'auto' is float32, except for large models on a card: float16 for a unet, whose guidance
        multiplies bfloat16's error (docs/benchmarks.md), and bfloat16 for a transformer, whose activations leave the
        range of float16.
    place: called with a part's name and its network in main memory; returns the network to use. By default it moves the
        network to the device.
    adapters: AdapterFiles; LoRAs are merged into a network before it is placed.
    vae_precision: of the autoencoder, see vae_dtype.

    dtype: attribute, of the denoiser's weights.
    autocast: attribute, of the denoiser's arithmetic where its weights are not in it: a CPU keeps float32 weights and
        casts while it computes.
    text_dtype: attribute, of text encoders; T5 leaves the range of float16.
    vae_dtype: attribute, of the autoencoder. 'auto' is bfloat16 beside a denoiser in half precision, and float32
        otherwise, on a CPU, where the GPU has no bfloat16 (before 2020), and for those that overflow in half precision
        and say so (force_upcast). Never float16: gradients that come back through it would vanish.
    """

    def __init__(
        self,
        folder: PipelineFolder,
        device: torch.device,
        precision: Precision = "auto",
        place: Place | None = None,
        adapters: AdapterFiles = NO_ADAPTERS,
        vae_precision: Precision = "auto",
    ) -> None:
        self.folder = folder
        self.adapters = adapters
        self.device = device
        self.family: Family = FAMILIES[folder.family]
        self._place: Place = place or (lambda part, module: module.to(device))
        compute = self._precision(precision)
        reduced = compute != torch.float32
        self.dtype = torch.float32 if device.type == "cpu" else compute
        self.autocast = compute if reduced and device.type == "cpu" else None
        halved = self.dtype != torch.float32 and computes_bfloat16(device.type)
        self.text_dtype = torch.bfloat16 if halved else torch.float32
        self.vae_dtype = self._vae_precision(vae_precision)

    def _precision(self, precision: Precision) -> torch.dtype:
        kind = self.device.type
        if precision == "bfloat16" and not computes_bfloat16(kind):
            raise _no_bfloat16(kind)
        if precision != "auto":
            return _DTYPES[precision]
        if kind == "cpu" or self.folder.weights[self.family.denoiser].parameters <= HALF_ABOVE:
            return torch.float32
        # Emulated bfloat16 is slow, and yet better than the overflows of a transformer's activations in float16. And
        # gradients that come back through a CLIP would vanish in float16.
        wide = self.family.denoiser == "transformer" or self.family.compares
        if wide and not computes_bfloat16(kind):
            return torch.float32
        return torch.bfloat16 if wide else torch.float16

    def _vae_precision(self, precision: Precision) -> torch.dtype:
        if precision == "bfloat16" and not computes_bfloat16(self.device.type):
            raise _no_bfloat16(self.device.type)
        if precision != "auto":
            return _DTYPES[precision]
        if self.dtype == torch.float32 or (self.family.vae and self.config("vae").get("force_upcast")):
            return torch.float32
        return torch.bfloat16 if has_bfloat16(self.device.type) else torch.float32

    def has(self, part: str) -> bool:
        """Return whether the folder has an optional part."""
        return part in self.folder.components

    def config(self, part: str) -> dict[str, Any]:
        """Return the part's configuration file; a multi-view unet's in the terms of diffusers.

        Raises SetupError model.damaged.
        """
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        return read_denoiser_config(self.folder.path / part / name)

    def setting(self, name: str, default: Any) -> Any:
        """Return a value that the index gives to the pipeline itself, or `default`."""
        return read_json(self.folder.path / INDEX).get(name, default)

    def network(
        self, part: str, class_name: str, memory_format: torch.memory_format = torch.contiguous_format
    ) -> nn.Module:
        """Load the part's network, frozen, placed, in the part's precision.

        part: str, its name in the folder.
        class_name: str, its class, of transformers for encoders of text or pictures and CLIP, else of diffusers.
        memory_format: of its convolutions.
        Raises SetupError model.unsupported where the folder names another class.
        Raises SetupError model.damaged, setup.package; InputError input.lora, input.embedding.
        """
        self._refuse_class(part, class_name)
        text = part in self.family.text_encoders or part == IMAGE_ENCODER
        dtype = self.text_dtype if text else self.vae_dtype if part == "vae" else self.dtype
        of_transformers = text or self.family.compares
        with self.foreign_errors():
            library: Any = importlib.import_module("transformers" if of_transformers else "diffusers")
            with _quiet(library):
                module, info = getattr(library, class_name).from_pretrained(
                    self.folder.path / part,
                    variant=self.folder.variant(part),
                    use_safetensors=True,
                    local_files_only=True,
                    output_loading_info=True,
                    **{"dtype" if of_transformers else "torch_dtype": dtype},
                )
        self._refuse_missing(part, [*info.get("missing_keys", ()), *info.get("mismatched_keys", ())])
        return self._finished(part, module, memory_format)

    def original_network(
        self,
        part: str,
        named: str,
        class_name: str,
        config: dict[str, Any],
        renamed: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
        memory_format: torch.memory_format = torch.contiguous_format,
        complete: Callable[[Any, dict[str, torch.Tensor]], None] = lambda network, state: None,
    ) -> nn.Module:
        """Load the part's network as `network` does, from weights under the names of the model's first program.

        part: str, its name in the folder.
        named: str, its class in the folder.
        class_name: str, the class of diffusers that it is loaded as.
        config: of that class.
        renamed: from the part's weights by name to those by the names that diffusers reads for that class.
        memory_format: of its convolutions.
        complete: given the network and the part's weights by name; adds what that class has not, before it is placed.
        Raises SetupError as `network` does.
        """
        self._refuse_class(part, named)
        with self.foreign_errors(), tempfile.TemporaryDirectory() as folder:
            import diffusers
            from safetensors.torch import load_file

            state = {name: each for file in self.folder.weights[part].files for name, each in load_file(file).items()}
            (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
            with _quiet(diffusers, warnings=False):  # it warns of a cast that changes nothing
                module = getattr(diffusers, class_name).from_single_file(
                    renamed(state), config=folder, local_files_only=True, torch_dtype=self.dtype
                )
            complete(module, state)
        self._refuse_missing(part, [name for name, weight in module.named_parameters() if weight.is_meta])
        return self._finished(part, module, memory_format)

    def _finished(self, part: str, module: Any, memory_format: torch.memory_format) -> nn.Module:
        """The network with its adapters, frozen and placed."""
        self._adapt(part, module)
        module.to(memory_format=memory_format)
        placed = self._place(part, module.eval().requires_grad_(False)).eval().requires_grad_(False)
        trim_heap()
        return placed

    def tokenizer(self, part: str) -> Any:
        """Load the part's tokenizer.

        Raises SetupError model.damaged, setup.package.
        """
        missing = self._missing_packages(part)
        if missing:
            raise _package_error(f"Its {part} is in the sentencepiece format, which needs {' and '.join(missing)}.")
        with self.foreign_errors():
            from transformers import AutoTokenizer

            path = self.folder.path / part
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        teach_tokenizer(tokenizer, self.adapters.words_of(part.replace("tokenizer", "text_encoder")))
        return tokenizer

    def spelt_out(self, part: str, texts: list[str]) -> list[str]:
        """Return the texts as a text encoder's tokenizer must read them: every vector of a learned word as a token."""
        words = {word.word: word.tokens for word in self.adapters.words_of(part)}
        return [spelt_out(text, words) for text in texts]

    def _adapt(self, part: str, module: nn.Module) -> None:
        for lora in self.adapters.loras:
            merge_lora(module, lora, part, denoiser=part == self.family.denoiser, family=self.folder.family)
        words = self.adapters.words_of(part)
        if words:
            teach_encoder(module, self.tokenizer(part.replace("text_encoder", "tokenizer")), words, part)

    def _missing_packages(self, part: str) -> list[str]:
        """What transformers reads a sentencepiece tokenizer with, as far as it is not installed.

        Without it, transformers takes the file for one of another format, and blames that.
        """
        path = self.folder.path / part
        if (path / "tokenizer.json").is_file() or not any(path.glob("*.model")):
            return []
        return [package for package, module in SENTENCEPIECE if not _installed(module)]

    def unsupported(self, why: str) -> SetupError:
        """Build the error for a model that differs from its family."""
        return SetupError(
            "model.unsupported",
            what=f"This version cannot use this model of the family {self.family.title}.",
            why=why,
            fix="Give a text-to-image model of that family as it was published, or leave --model out for the built-in "
            "one.",
        )

    def _refuse_class(self, part: str, class_name: str) -> None:
        named = self.folder.components[part]
        if named != class_name:
            raise self.unsupported(f"Its {part} is a {named}; a model of this family has a {class_name}.")

    def _refuse_missing(self, part: str, missing: list[str]) -> None:
        """The libraries fill missing weights with random numbers and a warning; a teacher with those teaches noise."""
        if missing:
            reason = f"{part} lacks {len(missing)} of its weights, the first is {missing[0]}"
            raise damaged(self.folder.path, reason)

    @contextlib.contextmanager
    def foreign_errors(self) -> Iterator[None]:
        """Turn the errors of diffusers, transformers and safetensors into SetupError model.damaged, setup.package."""
        from safetensors import SafetensorError

        try:
            yield
        except ImportError as error:
            raise _package_error(str(error).strip()[:300]) from error
        except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, SafetensorError) as error:
            raise damaged(self.folder.path, f"{type(error).__name__}: {str(error).strip()[:300]}") from error
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise damaged(self.folder.path, str(error).strip()[:300]) from error


def _no_bfloat16(device_type: str) -> SetupError:
    needs = "macOS 14 or newer" if device_type == "mps" else "a newer card"
    return SetupError(
        "setup.precision",
        what="This device cannot compute in bfloat16.",
        why=f"On {device_type} it needs {needs}.",
        fix="Leave memory.precision and memory.vae_precision at auto, or set them to float32.",
    )


def _package_error(why: str) -> SetupError:
    return SetupError(
        "setup.package",
        what="This model needs a Python package that is not installed.",
        why=why,
        fix="Install that package into DreamFusion's environment, or leave --model out for the built-in model.",
    )


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent is not there either
        return False


@contextlib.contextmanager
def _quiet(library: Any, warnings: bool = True) -> Iterator[None]:
    """Loading without the bar of diffusers or transformers, which would write across the command line's own."""
    logging = library.utils.logging
    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    if not warnings:
        logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
