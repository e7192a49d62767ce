"""The toy network in torch."""

import torch
from torch import nn


class ToyNet(nn.Module):
    """Three convolutions; ``template()`` keeps the features on the instance, as LightTrack's does."""

    zf: torch.Tensor

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, channels, 3, stride, 1)
        self.cls = nn.Conv2d(channels, 1, 1)
        self.reg = nn.Conv2d(channels, 4, 1)

    def extract(self, image: torch.Tensor) -> torch.Tensor:
        return self.features(image).relu()

    def answer(self, zf: torch.Tensor, xf: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        weighed = xf * zf.mean((2, 3), keepdim=True)
        return self.cls(weighed), self.reg(weighed).relu()

    def template(self, z: torch.Tensor) -> None:
        self.zf = self.extract(z)

    def track(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.answer(self.zf, self.extract(x))
