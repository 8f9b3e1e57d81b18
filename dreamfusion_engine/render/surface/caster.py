"""The nearest triangle along every ray, by Warp's hierarchy of boxes (CPU and CUDA), for meshes whose vertices move."""

from __future__ import annotations

import torch
import warp as wp
from torch import Tensor

from dreamfusion_engine.machine import warp_runtime
from dreamfusion_engine.render.surface.hits import SurfaceHits
from dreamfusion_engine.render.surface.hits_kernels import cast_rays
from dreamfusion_engine.render.surface.scan import scanned
from dreamfusion_engine.scene.cameras import Cameras, camera_rays


class SurfaceCaster:
    """A triangle mesh on a device, ready for rays.

    A triangle without area, or with a corner that is not finite, is met by no ray.

    vertices: float32[V, 3], world units; copied.
    triangles: int[T, 3], in [0, V); copied.
    device: torch.device to compute on.
    Raises ValueError where a triangle has a corner that is no vertex.
    """

    def __init__(self, vertices: Tensor, triangles: Tensor, device: torch.device) -> None:
        if len(triangles) and not 0 <= int(triangles.min()) <= int(triangles.max()) < len(vertices):
            raise ValueError(
                f"Triangles have corners {int(triangles.min())} to {int(triangles.max())}, but the mesh has vertices 0 "
                f"to {len(vertices) - 1}. Give triangles as rows of three vertex numbers."
            )
        self.device = device
        self._given = triangles.detach().to(device, torch.int32, copy=True).contiguous()
        # The mesh works on the memory of these two. A triangle that cannot be met has its first corner three times.
        self._triangles = self._given.clone()
        self._points = torch.empty(len(vertices), 3, device=device)
        self._sound = True  # whether the triangles are those that were given
        self._put(vertices)
        self._mesh = None
        if len(triangles):
            with warp_runtime.on_stream_of_torch(device):
                self._mesh = wp.Mesh(
                    points=wp.from_torch(self._points, dtype=wp.vec3, requires_grad=False),
                    indices=wp.from_torch(self._triangles.view(-1)),
                )
        self._fits = True  # whether the boxes are those of the vertices

    def cast_views(self, cameras: Cameras, height: int, width: int) -> SurfaceHits:
        """Return the nearest hits of the rays of `camera_rays`, B*H*W of them, without gradients.

        It finds what `cast` finds for these rays, but for rounding at edges. On a CPU it is several times as quick.

        cameras: Cameras, B of them.
        height, width: int, pixels.
        """
        if self.device.type == "cpu" and self._mesh is not None:
            hits = scanned(self._points, self._triangles, cameras, height, width)
            if hits is not None:
                return hits
        return self.cast(*camera_rays(cameras, height, width))

    def cast(self, origins: Tensor, directions: Tensor) -> SurfaceHits:
        """Return the nearest hits of N rays, on either side of a triangle, without gradients.

        A ray that is not finite meets nothing.

        origins: float32[N, 3], world units.
        directions: float32[N, 3], unit length.
        """
        count = len(origins)
        triangle = torch.full((count,), -1, dtype=torch.int64, device=self.device)
        barycentric = torch.zeros(count, 3, device=self.device)
        depth = torch.full((count,), torch.inf, device=self.device)
        if count and self._mesh is not None:
            self._fit()
            arguments = [
                self._mesh.id,
                warp_runtime.vectors(origins.to(self.device, torch.float32).contiguous()),
                warp_runtime.vectors(directions.to(self.device, torch.float32).contiguous()),
                triangle,
                warp_runtime.vectors(barycentric),
                depth,
            ]
            warp_runtime.launch(cast_rays, count, arguments, device=self.device, grain=256)
        return SurfaceHits(triangle=triangle, barycentric=barycentric, depth=depth)

    def refit(self, vertices: Tensor) -> None:
        """Move the vertices of the same triangles: quicker than a new caster, which finds the same.

        After large moves the boxes overlap more than those of a new caster, and rays take longer.

        vertices: float32[V, 3], world units; copied.
        Raises ValueError where their number is another.
        """
        if vertices.shape != self._points.shape:
            raise ValueError(
                f"The mesh has {len(self._points)} vertices, not {tuple(vertices.shape)}. Make a new caster where the "
                "triangles change."
            )
        self._put(vertices)
        self._fits = False

    def _fit(self) -> None:
        """Bring the boxes to the vertices. Only rays of their own need them, so `refit` leaves it to `cast`."""
        if self._mesh is not None and not self._fits:
            with warp_runtime.on_stream_of_torch(self.device):
                self._mesh.refit()
            self._fits = True

    def _put(self, vertices: Tensor) -> None:
        """Write the vertices and triangles that the mesh reads, without what is not finite."""
        points = vertices.detach().to(self.device, torch.float32)
        finite = torch.isfinite(points)
        # Asking would make the host wait for a GPU. On a CPU it saves most of the work, as nearly always all is sound.
        sound = self.device.type == "cpu" and bool(finite.all())
        if sound:
            self._points.copy_(points)
        else:
            self._points.copy_(torch.where(finite.all(-1, keepdim=True), points, 0.0))
        if len(self._given) and not (sound and self._sound):
            whole = finite.all(-1)[self._given.long()].all(-1, keepdim=True)
            self._triangles.copy_(torch.where(whole, self._given, self._given[:, :1]))
        self._sound = sound
