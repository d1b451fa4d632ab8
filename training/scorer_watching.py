"""Looking at a mask scorer on its way: how it ranks masks of images that it does not learn from."""

from typing import TYPE_CHECKING

from torch import nn

from training.correlation import pearson, spearman

if TYPE_CHECKING:
    from training.scorer_bench import ScorerBench

LOOKS = 20
CLOSEST = 10


class ScorerWatcher:
    """Tells Spearman's correlation of P with AC on the held-out samples as events `validation`.

    every: steps between two looks; 0: at most LOOKS in a run, CLOSEST steps apart or more. The last
    step is always looked at.
    """

    def __init__(self, bench: "ScorerBench", every: int = 0) -> None:
        self.bench = bench
        self.every = every

    def due(self, step: int, steps: int) -> bool:
        """Whether the network is looked at after this step."""
        every = self.every or max(CLOSEST, -(-steps // LOOKS))
        return step % every == 0 or step == steps

    def look(self, network: nn.Module, step: int) -> None:
        """Measures, and says so."""
        from training.scorer_bench import batches_of

        bench = self.bench
        batches = batches_of(bench.tested, bench.settings.batch)
        found, wanted = bench.predictions(network, batches)
        error = sum((p - ac) ** 2 for p, ac in zip(found, wanted, strict=True)) / len(found)
        said = {"spearman": spearman(found, wanted), "pearson": pearson(found, wanted)}
        known = {name: value for name, value in said.items() if value is not None}
        bench.run.event("validation", step=step, **known, squared_error=error, images=len(found))
        words = ", ".join(f"{name} {value:.3f}" for name, value in known.items())
        bench.run.say(f"step {step}: held out: squared error {error:.4f}, {words or 'all alike'}")
