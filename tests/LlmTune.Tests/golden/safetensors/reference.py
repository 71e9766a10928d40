"""Writes what the tests hold our writer against, with the reference implementation (safetensors 0.8, huggingface_hub):
python reference.py, in this folder. Tensor number n of a type holds n, n+1, n+2 …"""
import os

import torch
from huggingface_hub import save_torch_state_dict
from safetensors.torch import save_file


def counting(dtype, shape, start):
    count = torch.Size(shape).numel()
    values = torch.arange(start, start + count)
    return (values % 2).to(dtype).reshape(shape) if dtype == torch.bool else values.to(dtype).reshape(shape)


TYPES = [torch.float32, torch.bool, torch.int64, torch.float16, torch.uint8, torch.float64, torch.int8, torch.bfloat16,
         torch.int32, torch.float8_e4m3fn, torch.int16, torch.float8_e5m2]

tensors = {}
for number, dtype in enumerate(TYPES):
    name = str(dtype).removeprefix("torch.")
    tensors[f"b.{name}"] = counting(dtype, (2, 3), number)
    tensors[f"a.{name}"] = counting(dtype, (), number)
tensors["empty"] = torch.empty((0, 4))
tensors['né "quoted"\\名\t'] = counting(torch.float32, (1,), 7)
save_file(tensors, "reference_types.safetensors", {"format": "pt"})

shards = {f"layer.{n}.weight": counting(torch.float32, (n + 1, 4), n) for n in range(5)}
os.makedirs("reference_shards", exist_ok=True)
save_torch_state_dict(shards, "reference_shards", max_shard_size=100)
