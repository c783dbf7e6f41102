"""The cells of an experiment shared out over processes, each with a model of its own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbhelpers.degrade.experiment import Study
    from nbhelpers.degrade.manifest import Manifest


def work_in_processes(study: "Study", manifest: "Manifest", name: str, device: str, jobs: int) -> str:
    """Run all cells that are not done in so many processes; the first reason to stop, or "".

    Args:
        study: the experiment.
        manifest: as it was prepared.
        name: of the model, loaded by each process.
        device: of the calling process; on a machine with several GPUs each process takes the next one.
        jobs: number of processes.
    """
    import torch
    from joblib import Parallel, delayed

    threads = torch.get_num_threads()  # as many as here: another number adds in another order
    calls = (
        delayed(_work)(study, manifest, name, _device(device, worker), worker, jobs, threads)
        for worker in range(jobs)
    )
    reasons = Parallel(n_jobs=jobs)(calls)
    return next((reason for reason in reasons if reason), "")


def _device(device: str, worker: int) -> str:
    import torch

    count = torch.cuda.device_count() if device.startswith("cuda") else 0
    return f"cuda:{worker % count}" if count > 1 else device


def _work(
    study: "Study", manifest: "Manifest", name: str, device: str, worker: int, workers: int, threads: int
) -> str:
    import torch

    from nbhelpers.degrade.rungs import load_subject

    torch.set_num_threads(threads)
    settings = study.settings.model_copy(update={"model": name})
    shown = any(prompt.image is not None for prompt in study.prompts)
    loaded = load_subject(settings, profile="cpu", device=device, pictures=shown, say=lambda line: None)
    return study.work(loaded, manifest, worker, workers)
