import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from robot import CAMERA, Process, good_image, good_info, good_points, plane
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from depth_completion_ros import shipped
from depth_completion_ros.checkpoints import save_checkpoint
from depth_completion_ros.geometry.camera import Camera
from depth_completion_ros.message_arrays import camera_of, cloud_points, depth_array, image_array
from depth_completion_ros.networks.registry import create
from depth_completion_ros.nodes.completion_node import load_model
from depth_completion_ros.ros.messages import camera_info_message, cloud_message, header, image_message
from depth_completion_ros.ros.settings import CompletionSettings

INPUTS = ("image", "camera_info", "points")

def test_a_wall_comes_back_on_every_output(make_robot):
    robot = make_robot()
    for message_type, topic in (
        (CameraInfo, "depth/camera_info"),
        (Image, "confidence/image"),
        (Image, "sparse_depth/image"),
        (Image, "depth/color"),
        (PointCloud2, "points"),
    ):
        robot.listen(message_type, topic)
    robot.wait_until_ready()
    robot.completes()
    nanos = robot.send()
    depth = robot.depth(nanos)
    np.testing.assert_allclose(depth, 10.0, rtol=1e-3)
    robot.spin_until(lambda: all(nanos in received for received in robot.outputs.values()), "an output is missing")
    outputs = {topic: received[nanos] for topic, received in robot.outputs.items()}
    assert {message.header.frame_id for message in outputs.values()} == {"camera"}
    assert outputs["depth/image"].encoding == outputs["confidence/image"].encoding == "32FC1"
    sparse = depth_array(outputs["sparse_depth/image"])
    assert np.count_nonzero(sparse) == len(plane())
    confidence = np.frombuffer(outputs["confidence/image"].data, np.float32)
    assert confidence.min() >= 0 and confidence.max() <= 1 and confidence.mean() > 0.3
    assert camera_of(outputs["depth/camera_info"]) == CAMERA
    assert image_array(outputs["depth/color"]).shape == (CAMERA.height, CAMERA.width, 3)
    points, _ = cloud_points(outputs["points"])
    np.testing.assert_allclose(points[:, 2], 10.0, rtol=1e-3)
    np.testing.assert_allclose(points[0, :2], (np.array([0, 0]) - (CAMERA.cx, CAMERA.cy)) / 60.0 * 10, rtol=1e-2)


def test_faults_are_said_once_and_the_node_recovers(robot):
    """One node lives through every fault of its inputs; after each it completes again."""
    log = robot.completion

    def fault(expected: str, send, times: int = 4) -> None:
        begun = len(log.lines)
        for _ in range(times):
            send()
            robot.spin(0.15)
        log.wait_for_line(expected, begun)
        assert log.log(begun).count(expected) == 1, log.log(begun)
        robot.completes()
        log.wait_for_line("recovered from", begun)
        assert "Traceback" not in log.log(begun)

    def send_with(**messages):
        nanos = round(robot.next_stamp() * 1e9)
        robot.send(nanos * 1e-9, **{name: make(nanos) for name, make in messages.items()})

    fault("no camera_info", lambda: robot.send(info=None))  # the first: nothing has come yet

    other = Camera(width=64, height=48, fx=60.0, fy=60.0, cx=31.5, cy=23.5)
    fault(
        "camera_info is for 64x48 pixels, the images are 80x60",
        lambda: send_with(info=lambda nanos: camera_info_message(other, header(nanos, "camera"))),
    )

    def strange(nanos):
        image = good_image(nanos)
        image.encoding = "strange8"
        return image

    fault("'strange8'", lambda: send_with(image=strange))

    def truncated(nanos):
        image = good_image(nanos)
        image.data = image.data[:-100]
        return image

    fault("image:", lambda: send_with(image=truncated))

    def cloud(points):
        return lambda nanos: cloud_message(points, header(nanos, "lidar"))

    fault("holds no measurement", lambda: send_with(points=cloud(plane()[:0])))
    fault("holds no measurement", lambda: send_with(points=cloud(np.full((50, 3), np.nan, np.float32))))
    fault("holds no measurement", lambda: send_with(points=cloud(-plane())))

    def apart(seconds):
        stamp = robot.next_stamp() + 1.0
        robot.send(stamp, points=good_points(round((stamp - seconds) * 1e9)))

    fault("no stamps within 0.05 s", lambda: apart(0.3), times=8)
    fault("are 1.00 s behind those of the other input", lambda: apart(1.0), times=8)
    fault("is the sensor running", lambda: robot.send(points=None), times=25)


def test_a_sensor_that_arrives_late_is_told_once_and_waited_for(make_robot):
    robot = make_robot(queue_size=40)
    robot.wait_until_ready()
    robot.completes()
    begun, sent = len(robot.completion.lines), []
    for _ in range(30):
        sent.append(robot.send(points=None))
        if len(sent) > 6:
            robot.points.publish(good_points(sent[-7]))
        robot.spin(0.1)
    robot.depth(sent[-7])
    log = robot.completion.log(begun)
    assert log.count("are 0.60 s behind those of the other input") == 1 and "queue_size is to be large enough" in log
    robot.diagnostics.clear()
    robot.spin_until(lambda: robot.diagnostics, "no diagnostics")
    assert robot.diagnostics[0].message.startswith("completing at")


def test_time_jumping_back_starts_anew(robot):
    robot.completes()
    for _loop in range(3):
        for i in range(3):
            nanos = robot.send(10.0 + i * 0.1)
            np.testing.assert_allclose(robot.depth(nanos), 10.0, rtol=1e-3)
            robot.outputs["depth/image"].clear()
    assert robot.completion.log().count("time jumped back") == 3


def test_a_missing_extrinsic_is_said_and_parameter_names_are_given(make_robot):
    robot = make_robot(extrinsic="[]")
    robot.wait_until_ready()
    for _ in range(3):
        robot.send()
        robot.spin(0.2)
    robot.completion.wait_for_line("no extrinsic from 'lidar' to 'camera'")
    assert robot.completion.log().count("no extrinsic") == 1
    assert "parameter extrinsic" in robot.completion.log()
    # A cloud that is in the camera's frame already needs none.
    nanos = round(robot.next_stamp() * 1e9)
    robot.send(nanos * 1e-9, points=cloud_message(plane(), header(nanos, "camera")))
    np.testing.assert_allclose(robot.depth(nanos), 10.0, rtol=1e-3)


def test_diagnostics_name_the_fault(robot):
    robot.completes()
    robot.spin_until(lambda: any("completing" in status.message for status in robot.diagnostics), "no diagnostics")
    robot.send(points=cloud_message(plane()[:0], header(round((robot._stamp + 0.1) * 1e9), "lidar")))
    robot.spin_until(lambda: any("no measurement" in each.message for each in robot.diagnostics), "no such fault")


def test_images_completed_at_a_part_of_their_resolution_come_out_whole(make_robot):
    depth = make_robot(decimation=2).completes()
    assert depth.shape == (CAMERA.height, CAMERA.width)


def test_diagnostics_do_not_go_on_completing_when_everything_has_stopped(robot):
    robot.completes()

    def stopped(status) -> bool:
        return status.level == DiagnosticStatus.WARN and "no frame for" in status.message

    robot.spin_until(lambda: any(map(stopped, robot.diagnostics)), "no warning")
    assert robot.diagnostics[-1].name == "depth_completion: depth completion"


def test_diagnostics_say_what_has_never_come_under_its_own_name_though_no_clock_runs(make_robot):
    robot = make_robot(use_sim_time="true", arguments=("-r", "image:=/front/image_raw", "-r", "__ns:=/left"))
    expected = "nothing has come on /front/image_raw, /left/points, /left/camera_info"
    robot.spin_until(lambda: any(expected in status.message for status in robot.diagnostics), "nothing is missed")
    status = robot.diagnostics[-1]
    assert status.name == "left/depth_completion: depth completion"
    values = {each.key: each.value for each in status.values}
    assert values["messages on /front/image_raw"] == "0, of 0 publisher(s)"


def test_lost_frames_are_counted(robot):
    robot.completes()
    for _ in range(3):
        nanos = round(robot.next_stamp() * 1e9)
        robot.send(nanos * 1e-9, points=cloud_message(plane()[:0], header(nanos, "lidar")))
        robot.spin(0.2)

    def counted(status) -> bool:
        return ("frames lost: empty", "3") in [(each.key, each.value) for each in status.values]

    robot.spin_until(lambda: any(map(counted, robot.diagnostics)), "lost frames are not counted")


@pytest.mark.parametrize(
    "depth_camera",
    [None, CAMERA, Camera(width=20, height=15, fx=8.0, fy=8.0, cx=9.5, cy=7.0)],
    ids=["registered", "registered, with its camera", "a wider lens in the same place"],
)
def test_depth_images_in_the_frame_of_the_camera(make_robot, depth_camera):
    robot = make_robot(sensor="depth")
    robot.listen(Image, "sparse_depth/image")
    depth = robot.node.create_publisher(Image, "depth", 10)
    info = robot.node.create_publisher(CameraInfo, "depth/camera_info", 10)
    robot.spin_until(lambda: depth.get_subscription_count() and info.get_subscription_count(), "nobody listens")
    robot.spin_until(lambda: robot.node.count_publishers("depth_completion/depth/image"), "no output")
    camera = depth_camera or CAMERA
    measured = np.zeros((camera.height, camera.width), np.float32)
    measured[::4, ::4] = 2.5
    for _ in range(20):
        stamp = robot.next_stamp()
        nanos = robot.send(stamp, points=None)
        if depth_camera is not None:
            info.publish(camera_info_message(depth_camera, header(nanos, "camera")))
            robot.spin(0.1)
        depth.publish(image_message((measured * 1000).astype(np.uint16), header(nanos, "camera")))
        robot.spin(0.3)
        if nanos in robot.outputs["depth/image"]:
            break
    np.testing.assert_allclose(robot.depth(nanos), 2.5, rtol=1e-3)
    robot.spin_until(lambda: nanos in robot.outputs["sparse_depth/image"], "no sparse depth")
    if camera is CAMERA:
        np.testing.assert_allclose(depth_array(robot.outputs["sparse_depth/image"][nanos]), measured, rtol=1e-3)


def test_quality_of_service_of_one_input_alone(make_robot):
    """A camera_info that was sent once, before anybody listened, arrives."""
    policies = {"reliability": "reliable", "durability": "transient_local"}
    robot = make_robot(**{f"qos_overrides./camera_info.subscription.{name}": each for name, each in policies.items()})
    kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    robot.node.create_publisher(CameraInfo, "camera_info", kept).publish(good_info(0))
    hears = robot.node.get_subscriptions_info_by_topic
    robot.spin_until(lambda: all(hears(f"/{name}") for name in INPUTS), "it hears not everything")
    found = {name: hears(f"/{name}")[0].qos_profile for name in INPUTS}
    assert {name for name, each in found.items() if each.reliability == ReliabilityPolicy.RELIABLE} == {"camera_info"}
    assert {name for name, each in found.items() if each.durability == DurabilityPolicy.TRANSIENT_LOCAL} == {
        "camera_info"
    }
    robot.info = robot.node.create_publisher(CameraInfo, "of_nobody", 10)
    robot.completes()


def test_without_a_camera_image(make_robot):
    robot = make_robot(use_image="false")
    robot.spin_until(robot.points.get_subscription_count, "nobody listens to points")
    for _ in range(20):
        nanos = robot.send(image=None)
        robot.spin(0.3)
        if nanos in robot.outputs["depth/image"]:
            break
    assert robot.outputs["depth/image"][nanos].header.frame_id == "camera"
    np.testing.assert_allclose(robot.depth(nanos), 10.0, rtol=1e-3)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A network with an image that was, so it says, trained without one at times."""
    network = create("mspn", preset="lite")
    network.image_optional = True
    return save_checkpoint(network, tmp_path_factory.mktemp("weights")).parent


@pytest.mark.parametrize("model", ["auxiliary", "mspn"])
def test_a_silent_camera_does_not_hold_up_a_model_that_can_do_without(make_robot, checkpoint, model):
    robot = make_robot(model=model, **({"checkpoint": checkpoint} if model == "mspn" else {"preset": "lite"}))
    robot.wait_until_ready()
    begun = len(robot.completion.lines)
    for _ in range(30):
        nanos = robot.send(image=None)
        robot.spin(0.2)
        if nanos in robot.outputs["depth/image"]:
            break
    assert robot.outputs["depth/image"][nanos].header.frame_id == "camera"
    robot.completion.wait_for_line("no images on /image: going on without", begun)

    def warns(status) -> bool:
        return status.level == DiagnosticStatus.WARN and "no images on /image" in status.message

    robot.spin_until(lambda: any(map(warns, robot.diagnostics)), "no warning in diagnostics")
    robot.completes()
    robot.completion.wait_for_line("recovered from: synchronisation", begun)
    assert robot.completion.log(begun).count("no images on /image") == 1

    # It dies with an image that no cloud belongs to.
    begun = len(robot.completion.lines)
    robot.send(points=None)
    for _ in range(30):
        nanos = robot.send(image=None)
        robot.spin(0.2)
        if nanos in robot.outputs["depth/image"]:
            break
    assert nanos in robot.outputs["depth/image"]
    robot.completion.wait_for_line("no images on /image: going on without", begun)


def test_an_interrupt_within_a_frame_ends_the_node_as_ever(make_robot):
    robot = make_robot(model="mspn")
    camera = Camera(width=1242, height=375, fx=720.0, fy=720.0, cx=620.0, cy=170.0)
    robot.wait_until_ready()

    def send():
        nanos = round(robot.next_stamp() * 1e9)
        image = image_message(np.zeros((375, 1242, 3), np.uint8), header(nanos, "camera"))
        robot.send(nanos * 1e-9, image=image, info=camera_info_message(camera, header(nanos, "camera")))
        robot.spin(0.05)
        return robot.outputs["depth/image"]

    for _ in range(200):
        if send():
            break
    for _ in range(4):
        send()
    assert robot.close() == 0, robot.completion.log()


@pytest.mark.parametrize(
    ("settings", "model"),
    [({}, "mspn"), ({"use_image": False}, "auxiliary"), ({"sensor": "depth"}, "magaconv")],
)
def test_the_inputs_say_which_model_where_nobody_does(tmp_path, monkeypatch, settings, model):
    monkeypatch.setattr(shipped, "MODELS", tmp_path)
    save_checkpoint(create(model, preset="lite"), tmp_path / model)
    assert load_model(CompletionSettings(**settings)).model == model


def test_a_network_that_refines_the_depth_of_another_node(make_robot, tmp_path):
    """Three inputs: MSPN's SDR mode gets a dense estimate beside the image and the points."""
    save_checkpoint(create("mspn", preset="lite", mode="sdr"), tmp_path)
    robot = make_robot(model="mspn", checkpoint=tmp_path, initial_depth="topic")
    estimate = robot.node.create_publisher(Image, "initial_depth", 10)
    robot.wait_until_ready()
    robot.spin_until(estimate.get_subscription_count, "nobody listens to initial_depth")
    for _ in range(20):
        stamp = robot.next_stamp()
        nanos = robot.send(stamp)
        dense = np.full((CAMERA.height, CAMERA.width), 9.0, np.float32)
        estimate.publish(image_message(dense, header(nanos, "camera")))
        robot.spin(0.5)
        if nanos in robot.outputs["depth/image"]:
            break
    assert robot.depth(nanos).shape == (CAMERA.height, CAMERA.width)


def test_weights_that_do_not_fit_the_inputs_are_refused(checkpoint):
    with pytest.raises(ValueError, match="no weights ship for model 'mspn' with these parameters: set checkpoint"):
        load_model(CompletionSettings(model="mspn", initial_depth="topic"))
    with pytest.raises(ValueError, match="makes no use of the parameter initial_depth"):
        load_model(CompletionSettings(checkpoint=str(checkpoint), initial_depth="topic"))


def test_no_work_without_listeners(robot):
    robot.completes()
    for subscription in list(robot.node.subscriptions):
        if "depth/image" in subscription.topic_name:
            robot.node.destroy_subscription(subscription)
    robot.spin(0.5)
    before = len(robot.completion.lines)
    # Would be a fault if anybody worked on it.
    for _ in range(3):
        nanos = round(robot.next_stamp() * 1e9)
        robot.send(nanos * 1e-9, points=cloud_message(plane()[:0], header(nanos, "lidar")))
    robot.spin(0.5)
    assert robot.completion.lines[before:] == []


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model": "nonsense"}, "unknown model 'nonsense'"),
        ({"device": "cuda:99"}, "device 'cuda:99'"),
        ({"model": "auxiliary", "device": "mps"}, "unknown device 'mps'"),
        ({"qos_overrides./points.subscription.reliability": "relible"}, "cannot activate"),
        ({"qos_overrides./camera_info.subscription.durability": "transient_local"}, "needs reliability reliable"),
        ({"qos_overrides./depth_completion/depth/image.publisher.reliability": "relible"}, "cannot configure"),
        ({"slop": "-1.0"}, "slop"),
        ({"sensor": "radar"}, "expected one of points, depth"),
        ({"extrinsic": "[1.0, 2.0]"}, "expected 0 or 16"),
        ({"model": "mspn", "initial_depth": "estimator"}, "go together"),
        ({"model": "classical", "initial_depth": "topic"}, "model 'classical' makes no use of"),
        ({"checkpoint": "/nowhere", "model": "mspn"}, "cannot configure: /nowhere: no such checkpoint"),
    ],
)
def test_wrong_parameters_end_the_node_with_one_clear_line(domain, parameters, message):
    process = Process("completion_node", parameters=parameters)
    assert process.popen.wait(30) == 1
    process.wait_for_line(message)
    assert "Traceback" not in process.log()


def test_lifecycle_without_autostart(make_robot):
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    robot = make_robot(autostart="false")
    client = robot.node.create_client(ChangeState, "depth_completion/change_state")
    robot.spin_until(client.service_is_ready, "no lifecycle service")

    def change(transition: int) -> bool:
        future = client.call_async(ChangeState.Request(transition=Transition(id=transition)))
        robot.spin_until(future.done, "no answer")
        return future.result().success

    assert change(Transition.TRANSITION_CONFIGURE)
    for _ in range(2):
        assert change(Transition.TRANSITION_ACTIVATE)
        robot.wait_until_ready()
        robot.completes()
        assert change(Transition.TRANSITION_DEACTIVATE)
        robot.spin_until(lambda: not robot.image.get_subscription_count(), "still subscribed while inactive")
    assert change(Transition.TRANSITION_CLEANUP)
    assert change(Transition.TRANSITION_CONFIGURE)


def test_parameters_at_run_time(robot):
    from rcl_interfaces.srv import DescribeParameters, SetParameters
    from rclpy.parameter import Parameter

    client = robot.node.create_client(SetParameters, "depth_completion/set_parameters")
    robot.spin_until(client.service_is_ready, "no parameter service")

    def set_parameter(name: str, value):
        future = client.call_async(SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()]))
        robot.spin_until(future.done, "no answer")
        return future.result().results[0]

    assert set_parameter("see_through", True).successful
    refused = set_parameter("model", "other")
    assert not refused.successful and "model is read when the node is configured" in refused.reason

    describe = robot.node.create_client(DescribeParameters, "depth_completion/describe_parameters")
    robot.spin_until(describe.service_is_ready, "no describe service")
    future = describe.call_async(DescribeParameters.Request(names=["slop"]))
    robot.spin_until(future.done, "no answer")
    descriptor = future.result().descriptors[0]
    assert "seconds" in descriptor.description
    assert descriptor.floating_point_range[0].from_value == 0.0
