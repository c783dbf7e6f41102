"""What the bootstrap cell installs, and what it never touches."""

from importlib import metadata

from nbhelpers.runtime.install import plan_install

CORE = [
    "torch<2.15,>=2.14",
    "numpy<3,>=2.2",
    "ultralytics<8.5,>=8.4",
    "rich<16,>=14",
    'pytest<10,>=9; extra == "dev"',
]


def test_only_what_is_missing_or_out_of_range_is_installed():
    here = {"torch": "2.14.1", "numpy": "2.4.6", "rich": "13.0"}
    plan = plan_install(CORE, here.get)
    assert plan.packages == ["ultralytics<8.5,>=8.4", "rich<16,>=14"]
    assert plan.constraints == ["torch==2.14.1", "numpy==2.4.6"]
    assert plan.left_alone == []


def test_an_old_torch_is_reported_and_left_alone():
    here = {"torch": "2.9.0+cu126", "numpy": "2.4.6", "rich": "15.0", "ultralytics": "8.4.150"}
    plan = plan_install(CORE, here.get)
    assert plan.packages == []
    assert "torch==2.9.0+cu126" in plan.constraints
    assert len(plan.left_alone) == 1
    assert "2.9.0+cu126" in plan.left_alone[0]


def test_nothing_is_missing_in_the_environment_the_tests_run_in():
    plan = plan_install(metadata.requires("nbhelpers") or [])
    assert plan.packages == []
    assert plan.left_alone == []
