"""Installs the package for colcon (ament_python) and for pip alike."""

from glob import glob

from setuptools import find_packages, setup

NAME = "depth_completion_ros"


def share(folder: str) -> tuple[str, list[str]]:
    """The files of ``folder``, to be installed under ``share/<package>/<folder>``."""
    return f"share/{NAME}/{folder}", [path for path in glob(f"{folder}/*") if "." in path]


setup(
    name=NAME,
    version="0.1.0",
    description="Real-time depth completion for ROS 2, with rosbag replay and KITTI evaluation",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    # Trained weights: depth_completion_ros/models is a link to models/.
    package_data={NAME: ["models/*/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        share("launch"),
        share("config"),
        share("rviz"),
    ],
    zip_safe=False,
    python_requires=">=3.10",
    install_requires=[
        "setuptools",
        "matplotlib",
        "numpy",
        "open3d",
        "pyyaml",
        "rosbags>=0.11.6",
        "safetensors",
        "scipy",
        "torch",
        "tqdm",
    ],
    extras_require={
        # Pictures and curves of `depth-completion train --tensorboard`.
        "tensorboard": ["tensorboard"],
        # NYU Depth V2.
        "nyu": ["h5py"],
        # OpenCV and ROS come from the distribution where ROS 2 is installed, from PyPI elsewhere. The wheels of
        # version 9 are those of ROS 2 Kilted.
        "pip": [
            "opencv-python-headless>=4.8",
            "ros-diagnostic-msgs>=5",
            "ros-geometry-msgs>=5",
            "ros-lifecycle-msgs>=2",
            "ros-rclpy[fastrtps]>=9,<10",
            "ros-sensor-msgs>=5",
            "ros-std-msgs>=5",
        ],
        "test": [
            "colcon-common-extensions",
            "h5py",
            # Others find other faults: in the code, with its rules, or with NumPy's types of 2.5.
            "mypy==2.4.*",
            "numpy<2.5",
            "pillow",
            "psutil",
            "pytest",
            "pytest-timeout",
            "ruff==0.17.*",
            "transformers<5",  # later ones need torchvision, which has no CPU wheel on PyPI
            "triton; platform_system == 'Linux'",
            "types-PyYAML",
        ],
    },
    entry_points={
        "console_scripts": [
            "depth-completion = depth_completion_ros.cli.main:main",
            "completion_node = depth_completion_ros.nodes.start:completion_node",
            "evaluation_node = depth_completion_ros.nodes.start:evaluation_node",
            "replay_node = depth_completion_ros.nodes.start:replay_node",
        ],
    },
)
