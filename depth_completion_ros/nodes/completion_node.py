"""The node that completes: sensor messages in, dense depth and confidence out."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import Any

import rclpy
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from depth_completion_ros.devices import give_back_freed_memory
from depth_completion_ros.errors import describe
from depth_completion_ros.networks.registry import model_info
from depth_completion_ros.pipeline import DepthCompleter, EmptySparseDepthError
from depth_completion_ros.ros.diagnostics import Diagnostics
from depth_completion_ros.ros.inputs import InputFault, Inputs
from depth_completion_ros.ros.mailbox import Mailbox
from depth_completion_ros.ros.outputs import Outputs
from depth_completion_ros.ros.parameters import declare
from depth_completion_ros.ros.running import ros
from depth_completion_ros.ros.settings import CompletionSettings
from depth_completion_ros.shipped import AUTO

# Kinds of faults that a completed frame shows to be over.
_FRAME_FAULTS = ("camera_info", "image", "points", "depth", "initial_depth", "extrinsic", "empty", "frame")

_EXPECTED = (ValueError, OSError, ImportError)  # what says by itself what cannot be had


class CompletionNode(LifecycleNode):
    """A lifecycle node around :class:`DepthCompleter`.

    ``configure`` loads the model and makes the publishers, ``activate`` subscribes to the sensors. The callbacks
    only synchronise messages; one worker thread decodes, completes and publishes the newest set.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(self) -> None:
        super().__init__("depth_completion")
        self._completer: DepthCompleter | None = None
        self._work: _Work | None = None
        self.settings = declare(self, CompletionSettings, self._take_settings, lambda: self._completer is not None)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads the model. A model that cannot be had is a failed transition, with the reason in the log."""
        try:
            completer = load_model(self.settings)
            self._outputs = Outputs(self, self.settings.depth_encoding)
        except Exception as error:  # which rclpy would pass over in silence
            return self._failed("configure", error)
        self._completer = completer
        tuning = "; on the first frame the fastest way to run it is found" if not completer.execution else ""
        self.get_logger().info(f"model {completer.model} on {completer.device}{tuning}")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Starts to listen."""
        assert self._completer is not None
        try:
            self._work = _Work(self, self.settings, self._completer, self._outputs)
        except Exception as error:
            return self._failed("activate", error)
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stops listening, after the frame at hand."""
        self.stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees the model."""
        self._outputs.close()
        self._completer = None
        give_back_freed_memory()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Ends what is running."""
        self.stop()
        return super().on_shutdown(state)

    def stop(self) -> None:
        """Stops listening, after the frame at hand; of no effect on a node that is not active."""
        if self._work is not None:
            self._work.close()
            self._work = None

    def _take_settings(self, settings: CompletionSettings) -> None:
        self.settings = settings
        if self._completer is not None:
            self._completer.see_through = settings.see_through

    def _failed(self, transition: str, error: Exception) -> TransitionCallbackReturn:
        what = describe(error) if isinstance(error, _EXPECTED) else f"{type(error).__name__}: {error}"
        self.get_logger().error(f"cannot {transition}: {what}")
        return TransitionCallbackReturn.FAILURE


class _Work:
    """What an active node does: it hears, completes, publishes, and says how that goes.

    Raises:
        ValueError: the extrinsic is not rigid.
    """

    def __init__(
        self, node: LifecycleNode, settings: CompletionSettings, completer: DepthCompleter, outputs: Outputs
    ) -> None:
        self._completer, self._outputs = completer, outputs
        self._rectified = settings.rectified
        self._coverage, self._hidden = "none", 0
        self._lost: Counter[str] = Counter()  # frames, by the kind of fault
        self._diagnostics = Diagnostics(
            node, f"{completer.model} on {completer.device}", self._values, lambda: self._inputs.missing()
        )
        self._mailbox: Mailbox[tuple[Any, ...]] = Mailbox(self._complete, self._unexpected)
        try:
            self._inputs = Inputs(
                node, settings, self._diagnostics, self._mailbox.put, image_optional=not completer.needs_image
            )
        except BaseException:
            self._mailbox.close()
            self._diagnostics.close()
            raise

    def close(self) -> None:
        """Ends it after the frame at hand; the thread first, as the rest may fail where ROS has ended before."""
        self._mailbox.close()
        self._inputs.close()
        self._diagnostics.close()

    def _complete(self, messages: tuple[Any, ...]) -> None:
        """The work on one set of messages, in the worker thread."""
        completer, diagnostics = self._completer, self._diagnostics
        if not self._outputs.wanted():
            diagnostics.unheard()
            return
        started = time.perf_counter()
        try:
            frame, header = self._inputs.frame(messages)
            decoded = time.perf_counter()
            completion = completer.complete(frame)
        except InputFault as fault:
            self._lose(fault.kind, str(fault))
            return
        except EmptySparseDepthError as error:
            self._lose("empty", f"{error}; is the extrinsic right, does the sensor see what the camera sees?")
            return
        finished = time.perf_counter()
        info = None if self._rectified else self._inputs.info()
        self._outputs.publish(frame, completion, header, info)
        published = time.perf_counter()
        diagnostics.cleared(_FRAME_FAULTS)
        measured = (completion.sparse_depth > 0).mean()
        self._coverage, self._hidden = f"{measured * 100:.2f}", completion.hidden
        diagnostics.completed(
            {"decode": (decoded - started) * 1e3}
            | dict(completion.milliseconds)
            | {"publish": (published - finished) * 1e3, "total": (published - started) * 1e3}
        )

    def _values(self) -> dict[str, object]:
        return {
            "pixels measured [%]": self._coverage,
            "hidden measurements removed": self._hidden,
            "dropped: a newer frame came first": self._mailbox.replaced,
            **{f"frames lost: {kind}": count for kind, count in sorted(dict(self._lost).items())},
            **self._inputs.values(),
        }

    def _unexpected(self, error: Exception) -> None:
        if rclpy.ok():  # else it could not be published, at the end
            self._lose("frame", f"a frame failed: {type(error).__name__}: {error}")

    def _lose(self, kind: str, message: str) -> None:
        self._lost[kind] += 1
        self._diagnostics.fault(kind, message)


def load_model(settings: CompletionSettings) -> DepthCompleter:
    """The model with its weights and options, which fits the inputs.

    Raises:
        ValueError, OSError, ImportError: something of it cannot be had; the message says what.
    """
    options = {}
    if settings.initial_depth != "none":
        if settings.model != AUTO and not model_info(settings.model).takes("mode"):
            raise ValueError(f"model {settings.model!r} makes no use of the parameter initial_depth")
        if not settings.checkpoint:  # which knows its mode
            options["mode"] = "sdr"
    if (settings.initial_depth == "estimator") != bool(settings.estimator):
        raise ValueError("the parameters estimator (a folder) and initial_depth: estimator go together")
    completer = DepthCompleter(
        settings.model,
        settings.device,
        preset=settings.preset,
        checkpoint=settings.checkpoint or None,
        estimator=settings.estimator or None,
        see_through=settings.see_through,
        decimation=settings.decimation,
        sensors=(settings.use_image, "lidar" if settings.sensor == "points" else "tof"),
        **options,
    )
    if completer.untrained:
        raise ValueError(
            f"no weights ship for model {completer.model!r} with these parameters: set checkpoint to the folder of some"
        )
    if completer.needs_image and not settings.use_image:
        raise ValueError(f"model {completer.model!r} needs images, but the parameter use_image is false")
    if completer.network.uses_initial_depth != (settings.initial_depth != "none"):
        needs = "needs" if completer.network.uses_initial_depth else "makes no use of"
        raise ValueError(f"checkpoint {settings.checkpoint} {needs} the parameter initial_depth")
    return completer


def main() -> int:
    """Runs the node until it is told to stop; 1 if it could not start itself."""
    with ros():
        try:
            node = CompletionNode()
        except ValueError as error:
            print(f"completion_node: {error}", file=sys.stderr)
            return 1
        if node.settings.autostart:
            success = TransitionCallbackReturn.SUCCESS
            if node.trigger_configure() != success or node.trigger_activate() != success:
                return 1
        try:
            rclpy.spin(node)
        finally:
            node.stop()  # a thread that is still computing would crash the process at its end
    return 0


if __name__ == "__main__":
    sys.exit(main())
