"""Reader of an exported TorchScript file, as a program that knows torch and numpy only.

Usage: python -I torch_reader.py FILE.pt REFERENCES.npz OUT.npz
"""

import sys
import warnings

import numpy as np
import torch


def tensors(arrays, prefix):
    names = sorted(name for name in arrays.files if name.startswith(prefix))
    return [torch.from_numpy(arrays[name]) for name in names]


def main(path, references, out):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # TorchScript is deprecated, and what DDML reads
    module = torch.jit.load(path).to("cpu").eval()
    arrays = np.load(references)
    showers = {}
    with torch.inference_mode():
        for case in range(int(arrays["cases"])):
            inputs = tensors(arrays, f"{case}-input-")
            noise = tensors(arrays, f"{case}-noise-")
            drawn = module(*inputs)
            assert isinstance(drawn, torch.Tensor)
            assert drawn.is_contiguous()
            assert drawn.dtype == torch.float32
            showers[f"{case}-drawn"] = drawn.numpy()
            showers[f"{case}-given"] = module.given(*inputs, noise).numpy()
        inputs = tensors(arrays, "many-input-")
        many = [module(*inputs).numpy() for _ in range(int(arrays["many"]))]
        showers["many"] = np.array(many)
    np.savez(out, **showers)
    assert not [name for name in sys.modules if name.startswith("calozoo")]


if __name__ == "__main__":
    main(*sys.argv[1:])
