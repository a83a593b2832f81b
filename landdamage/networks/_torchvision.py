"""Make ``torchvision`` importable beside a CPU-only torch; import this module before torchvision, timm or smp.

The published torchvision wheel is linked against CUDA, so on a CPU-only torch its compiled operators cannot load and
its import fails with "operator torchvision::nms does not exist" (pytorch/vision issues 9077 and 9085). Declaring the
two operator signatures is enough for the import; the operators themselves stay unusable and nothing here calls them.
"""

from __future__ import annotations

import torch

_declaration: torch.library.Library | None = None  # must stay alive: the declaration dies with the object

if torch.version.cuda is None and not hasattr(torch.ops.torchvision, "nms"):
    _declaration = torch.library.Library("torchvision", "DEF")
    _declaration.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declaration.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
