# make demo: the main job on a synthetic drive.   make test: every check.   Both set up what they need.
.DEFAULT_GOAL := help
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Of a ROS 2 that the shell has sourced nothing may get in here; a GPU's driver, which libraries may lead to, may.
empty :=
of_ros := $(addsuffix /%,$(subst :, ,$(AMENT_PREFIX_PATH)))
export LD_LIBRARY_PATH := $(subst $(empty) ,:,$(filter-out $(of_ros),$(subst :, ,$(LD_LIBRARY_PATH))))
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH PYTHONPATH ROS_DISTRO
# Everything here runs on this machine alone, whatever other ROS systems share its network.
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST

SOURCES := $(shell find depth_completion_ros underlay launch config rviz models resource \
	-type f -not -name '*.pyc' -not -path '*.egg-info*' -not -path '*/build/*' 2>/dev/null) setup.py setup.cfg package.xml scripts/setup

.PHONY: help setup demo test clean
help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

setup: $(VENV)/.ready  ## Python packages in .venv, Debian packages where they are missing
$(VENV)/.ready: $(SOURCES)
	scripts/setup
	@touch $@

demo: setup  ## replay a synthetic drive through the nodes, print KITTI's metrics, write output/demo
	ros2 launch depth_completion_ros kitti.launch.py dataset:=synthetic output:=output/demo

test: setup  ## ruff, mypy, unit tests and tests over real ROS processes
	ruff check .
	@if python -c 'import numpy, sys; sys.exit(numpy.__version__[:3] != "2.4")'; then echo mypy && mypy; \
		else echo "mypy is left out: the types are those of NumPy 2.4, which needs Python 3.11 or newer"; fi
	python -m pytest

clean:  ## remove what make and the demo made
	rm -rf $(VENV) output build *.egg-info underlay/build underlay/src/*.egg-info
