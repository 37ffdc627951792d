"""L2-regularised logistic regression for many labels at once.

Every label (and every fold, which is a label with other weights) is a column and a problem of its
own; all share the rows, so that one matrix product serves them all. Two things make it fast. In
the eigenbasis of the rows' covariance the Hessian of each problem is nearly diagonal, and the
penalty is the same in every orthonormal basis: a diagonal then is a good first guess for L-BFGS.
And scores are linear in the weights: the step along a direction is found from ``X p``, computed
once, without another product.

Shapes:
    N rows    D components    R components of the eigenbasis: the smaller of N and D
    Q the R weights and the intercept    C columns    P pairs of rows
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

MEMORY = 16
"""Steps that L-BFGS remembers (Nocedal and Wright 2006, chapter 7.2, recommend 3 to 20)."""
MOST_STEPS = 300
TOLERANCE = 1e-12
"""A column is done when half its squared Newton decrement, which is what could still be gained in
the objective, falls below this share of the loss without features."""
_ROUNDING = 1e-3
"""Below this share of the type's precision (1e-10 of the loss in float32) gains may be noise: there
a column is done as well when no step of the last ten brought a new low."""
_PATIENCE = 10
_FLAT = 0.5
"""A step is taken when the slope along it falls to this share, as the strong Wolfe conditions ask
for; most are at the first trial."""
_TRIALS = 20
_ELEMENTS = 1 << 25
"""Rows times columns that are solved at once: five arrays of 128 MB in float32."""
_FARTHEST = 40.0
"""Scores beyond say 0 or 1 in float64 as well. They are cut off, because products of still smaller
probabilities are subnormal numbers, with which processors take several times as long."""
_BLOCK = 1 << 15
"""Elements that are looked at together: they stay in the cache, and in one thread, because waiting
for other threads costs more as soon as the machine has something else to do."""


class Rows:
    """Features in the eigenbasis of their covariance: ``z_NR = x_ND @ basis_DR``.

    Args:
        x_ND: Standardised features, float32 or float64; the solver works in the same type.

    Raises:
        ValueError: Features are not finite, or their squares are not.
    """

    intercept = True

    def __init__(self, x_ND: Tensor):
        rows, width = x_ND.shape
        x_NR = x_ND
        if rows < width:  # the weights lie in the span of the rows
            span_DR = torch.linalg.qr(x_ND.T).Q
            x_NR = x_ND @ span_DR
        square_RR = (x_NR.T @ x_NR).double() / max(rows, 1)
        if not square_RR.isfinite().all():
            raise ValueError("features are not finite, or too large for their type")
        value_R, vector_RR = torch.linalg.eigh(square_RR)
        # No direction is dropped: rounding may hide a small variance, but not turn the basis.
        self.variance_R = value_R.clamp_min(0).to(x_ND.dtype)
        vector_RR = vector_RR.to(x_ND.dtype)
        self.z_NR = x_NR @ vector_RR
        self.basis_DR = vector_RR if rows >= width else span_DR @ vector_RR

    def __len__(self) -> int:
        return len(self.z_NR)

    def forward(self, v_RC: Tensor) -> Tensor:
        """Scores ``s_NC`` without the intercept."""
        s_NC: Tensor = self.z_NR @ v_RC
        return s_NC

    def adjoint(self, g_NC: Tensor) -> Tensor:
        """Gradients of the weights ``(R, C)`` for gradients of the scores."""
        # Not z.T @ g, which takes twice as long for few columns (torch 2.13 on a CPU).
        g_RC: Tensor = (g_NC.T @ self.z_NR).T.contiguous()
        return g_RC


class Pairs(Rows):
    """Differences of two rows of one block; there is no intercept.

    Args:
        x_ND: Standardised features.
        block_N: Code of the block of each row, such as its title, from 0.
        first_P: The row of each pair that should have the higher score.
        second_P: The other row, of the same block.

    Raises:
        ValueError: As for :class:`Rows`.
    """

    intercept = False

    def __init__(self, x_ND: Tensor, block_N: Tensor, first_P: Tensor, second_P: Tensor):
        # What sets blocks apart falls out of all differences.
        blocks = int(block_N.max()) + 1 if len(block_N) else 0
        size_B = torch.bincount(block_N, minlength=blocks)
        mean_BD = x_ND.new_zeros(blocks, x_ND.shape[1]).index_add_(0, block_N, x_ND)
        mean_BD /= size_B.clamp_min(1)[:, None]
        super().__init__(x_ND - mean_BD[block_N])
        self.first_P, self.second_P = first_P, second_P
        self.variance_R = 2 * self.variance_R  # of the difference of two rows of a block

    def __len__(self) -> int:
        return len(self.first_P)

    def forward(self, v_RC: Tensor) -> Tensor:
        """Differences of scores ``(P, C)``."""
        s_NC = self.z_NR @ v_RC
        d_PC: Tensor = s_NC[self.first_P].sub_(s_NC[self.second_P])
        return d_PC

    def adjoint(self, g_NC: Tensor) -> Tensor:
        """Gradients of the weights ``(R, C)`` for gradients of the differences ``(P, C)``."""
        own_NC = g_NC.new_zeros(len(self.z_NR), g_NC.shape[1])
        own_NC.index_add_(0, self.first_P, g_NC).index_add_(0, self.second_P, g_NC, alpha=-1)
        return super().adjoint(own_NC)


@dataclass(frozen=True, slots=True)
class Solution:
    """Where the columns ended.

    Args:
        v_RC: Weights in the eigenbasis; ``basis_DR @ v_RC`` are those of the features.
        bias_C: Intercepts, 0 for pairs.
        converged_C: Whether the column reached the tolerance.
        steps: Steps of the slowest column.
    """

    v_RC: Tensor
    bias_C: Tensor
    converged_C: Tensor
    steps: int


def solve(
    rows: Rows,
    y_NC: Tensor,
    penalty: float,
    weight_NC: Tensor | None = None,
    start: Solution | None = None,
    *,
    tolerance: float = TOLERANCE,
) -> Solution:
    """Minimises ``mean(weight * (log(1 + exp(s)) - y s)) + penalty / 2 |v|^2`` in every column.

    The mean is over the weight of the column's rows, so that a penalty means the same for any
    number of rows, and of pairs; scikit-learn's ``C`` is ``1 / (penalty * weight.sum())``. The
    intercept is free.

    Args:
        rows: The design: rows or pairs.
        y_NC: 1 where the label holds, else 0, in the design's type; 1 for all pairs.
        penalty: Above 0.
        weight_NC: Weight of each row in each column, 0 to leave it out; ``(N, 1)`` for all alike.
        start: Where to begin: a solution for another penalty, of the same columns.
        tolerance: See :data:`TOLERANCE`.

    Returns:
        The optimum of every column. Rows that all say the same have none, the intercept would be
        infinite: their weights are 0, and the intercept is that of Laplace's rule of succession,
        as if one more row of either kind had been seen.

    Raises:
        ValueError: The penalty is not above 0, labels are not within 0 and 1, or weights are not
            finite or below 0.
    """
    if not 0 < penalty < math.inf:
        raise ValueError(f"the penalty is {penalty}, must be above 0")
    if not ((y_NC >= 0) & (y_NC <= 1)).all():
        raise ValueError("labels are not within 0 and 1")
    if weight_NC is None:
        weight_NC = y_NC.new_ones(len(rows), 1)
    if not ((weight_NC >= 0) & weight_NC.isfinite()).all():
        raise ValueError("weights are not finite, or below 0")
    columns = y_NC.shape[1]
    u_QC = y_NC.new_zeros(len(rows.variance_R) + 1, columns)
    if start is not None:
        u_QC = torch.cat([start.v_RC, start.bias_C[None]])
    converged_C = torch.zeros(columns, dtype=torch.bool, device=y_NC.device)
    steps, most = 0, max(1, _ELEMENTS // max(len(rows), 1))
    for at in range(0, columns, most):
        part = slice(at, at + most)
        weight = weight_NC if weight_NC.shape[1] == 1 else weight_NC[:, part]
        problem = _Columns(rows, y_NC[:, part], penalty, weight, u_QC[:, part], start is not None)
        u_QC[:, part], converged_C[part], count = problem.run(tolerance)
        steps = max(steps, count)
    return Solution(u_QC[:-1], u_QC[-1], converged_C, steps)


_Step = tuple[Tensor, Tensor, Tensor]
"""A step ``s_QC``, the change of the gradient ``y_QC``, and ``1 / (s . y)``."""


class _Columns:
    """The columns that are solved together; those that are done stand still, and soon leave."""

    def __init__(
        self,
        rows: Rows,
        y_NC: Tensor,
        penalty: float,
        weight_NC: Tensor,
        u_QC: Tensor,
        warm: bool,
    ):
        self.rows, self.y_NC, self.u_QC = rows, y_NC, u_QC.clone()
        total_C = weight_NC.sum(dim=0).expand(y_NC.shape[1])
        yes_C, no_C = (weight_NC * y_NC).sum(dim=0), (weight_NC * (1 - y_NC)).sum(dim=0)
        mean_C = weight_NC.sum(dim=0) / max(len(rows), 1)
        self.weight_NC = weight_NC / mean_C.clamp_min(_tiny(y_NC))  # 1 on average
        self.done_C = total_C == 0
        self.base_C = torch.full_like(yes_C, math.log(2))  # the loss without features
        if rows.intercept:
            self.done_C = (yes_C <= 0) | (no_C <= 0)
            prior_C = torch.where(self.done_C, (yes_C + 1) / (total_C + 2), yes_C / total_C)
            self.base_C = torch.special.entr(prior_C) + torch.special.entr(1 - prior_C)
            if not warm:
                self.u_QC[-1] = torch.logit(prior_C)
            self.u_QC[-1, self.done_C] = torch.logit(prior_C[self.done_C])
        self.u_QC[:-1, self.done_C] = 0
        # Of weights and intercept: the penalty, and the variance of what they multiply.
        self.damp_Q1 = torch.full_like(self.u_QC[:, :1], penalty)
        self.damp_Q1[-1] = 0
        self.variance_Q1 = torch.cat([rows.variance_R, rows.variance_R.new_ones(1)])[:, None]
        self.failed_C, self.fresh_C = torch.zeros((2, *self.done_C.shape)).to(self.done_C)
        self.lowest_C = torch.full_like(self.base_C, math.inf)
        self.since_C = torch.zeros_like(self.base_C)
        self.past: deque[_Step] = deque(maxlen=MEMORY)

    def run(self, tolerance: float) -> tuple[Tensor, Tensor, int]:
        """Steps until every column is done; returns ``u_QC``, ``converged_C`` and the steps."""
        out_QC, converged_C = self.u_QC.clone(), torch.zeros_like(self.done_C)
        left = torch.arange(len(self.done_C), device=self.done_C.device)
        self.s_NC = self._scores(self.u_QC)
        self.slope_NC = torch.empty_like(self.s_NC)
        self._look(torch.zeros_like(self.s_NC), torch.zeros_like(self.base_C))
        self.g_QC = self._gradient()
        steps = 0
        while len(left):
            p_QC = -self._turned(self.g_QC)
            gain_C = -(p_QC * self.g_QC).sum(dim=0) / 2
            self.done_C |= self._converged(gain_C.abs() / self.base_C, tolerance)
            self.failed_C |= ~gain_C.isfinite()
            over_C = self.done_C | self.failed_C
            last = bool(over_C.all()) or steps == MOST_STEPS
            if last or int(over_C.sum()) * 3 > len(over_C):
                gone_C = over_C | last
                out_QC[:, left[gone_C]] = self.u_QC[:, gone_C]
                converged_C[left[gone_C]] = self.done_C[gone_C]
                left, p_QC, over_C = left[~gone_C], p_QC[:, ~gone_C], over_C[~gone_C]
                self._keep(~gone_C)
            if len(left):
                self._walk(torch.where(over_C, 0, p_QC))
                steps += 1
        return out_QC, converged_C, steps

    def _converged(self, gain_C: Tensor, tolerance: float) -> Tensor:
        """Whether no more can be gained, or be told from noise."""
        self.since_C = torch.where(gain_C < self.lowest_C, 0, self.since_C + 1)
        self.lowest_C = torch.minimum(self.lowest_C, gain_C)
        noise = _ROUNDING * torch.finfo(gain_C.dtype).eps
        return (gain_C <= tolerance) | ((gain_C <= noise) & (self.since_C >= _PATIENCE))

    def _keep(self, stay_C: Tensor) -> None:
        """Lets the other columns go."""
        for name in ("u_QC", "g_QC", "y_NC", "s_NC", "slope_NC"):
            setattr(self, name, getattr(self, name)[:, stay_C])
        for name in ("base_C", "mean_C", "lowest_C", "since_C", "done_C", "failed_C", "fresh_C"):
            setattr(self, name, getattr(self, name)[stay_C])
        if self.weight_NC.shape[1] > 1:
            self.weight_NC = self.weight_NC[:, stay_C]
        for i, (s_QC, y_QC, rho_C) in enumerate(self.past):
            self.past[i] = (s_QC[:, stay_C], y_QC[:, stay_C], rho_C[stay_C])

    def _scores(self, u_QC: Tensor) -> Tensor:
        return self.rows.forward(u_QC[:-1]).add_(u_QC[-1])

    def _gradient(self) -> Tensor:
        bias_1C = self.slope_NC.sum(dim=0, keepdim=True) * self.rows.intercept
        g_QC = torch.cat([self.rows.adjoint(self.slope_NC), bias_1C]) / max(len(self.rows), 1)
        return g_QC.addcmul_(self.damp_Q1, self.u_QC)

    def _turned(self, g_QC: Tensor) -> Tensor:
        """The two loops of L-BFGS (Nocedal and Wright 2006, algorithm 7.4) on all columns."""
        q_QC = g_QC.clone()
        shares = []
        for s_QC, y_QC, rho_C in reversed(self.past):
            a_C = rho_C * (s_QC * q_QC).sum(dim=0)
            q_QC -= a_C * y_QC
            shares.append(a_C)
        q_QC /= (self.mean_C * self.variance_Q1 + self.damp_Q1).clamp_min(_tiny(q_QC))
        for (s_QC, y_QC, rho_C), a_C in zip(self.past, reversed(shares), strict=True):
            b_C = rho_C * (y_QC * q_QC).sum(dim=0)
            q_QC += (a_C - b_C) * s_QC
        return q_QC

    def _walk(self, p_QC: Tensor) -> None:
        """Steps along a direction, each column as far as its own slope wants."""
        d_NC = self._scores(p_QC)
        ridge_C = (self.damp_Q1 * p_QC * p_QC).sum(dim=0)
        tilt_C = (self.damp_Q1 * p_QC * self.u_QC).sum(dim=0)
        first_C = (p_QC * self.g_QC).sum(dim=0)
        low_C, high_C = torch.zeros_like(first_C), torch.full_like(first_C, math.inf)
        open_C = first_C < 0
        t_C = open_C.to(first_C)  # the whole step, as far as L-BFGS knows
        for _ in range(_TRIALS):
            at_C, bend_C = self._look(d_NC, t_C)
            at_C, bend_C = at_C + tilt_C + t_C * ridge_C, bend_C + ridge_C
            open_C = open_C & (at_C.abs() > _FLAT * first_C.abs())
            if not open_C.any():
                break
            # Newton along the line, kept inside what the signs of the slopes enclose.
            low_C, high_C = torch.where(at_C <= 0, t_C, low_C), torch.where(at_C > 0, t_C, high_C)
            new_C = t_C - at_C / bend_C.clamp_min(_tiny(bend_C))
            middle_C = torch.where(high_C.isinf(), 2 * t_C + 1, (low_C + high_C) / 2)
            inside_C = (new_C > low_C) & (new_C < high_C)
            t_C = torch.where(open_C, torch.where(inside_C, new_C, middle_C), t_C)
        else:  # back to the farthest point that is known to be lower
            t_C = torch.where(open_C, low_C, t_C)
            self._look(d_NC, t_C)
        # A direction that leads nowhere: what was remembered misleads. Without it, give up.
        stuck_C = (t_C == 0) & ~self.done_C
        self.failed_C |= stuck_C & self.fresh_C
        self.fresh_C = stuck_C
        for _, _, rho_C in self.past:
            rho_C.masked_fill_(stuck_C, 0)
        self._step(t_C * p_QC, d_NC.mul_(t_C))

    def _look(self, d_NC: Tensor, t_C: Tensor) -> tuple[Tensor, Tensor]:
        """Slope and bend of the mean loss at ``s + t d``; keeps the slopes of the rows there."""
        slope_C, bend_C, self.mean_C = torch.zeros(3, len(t_C)).to(t_C)
        size = max(1, _BLOCK // max(len(t_C), 1))
        for begin in range(0, len(d_NC), size):
            some = slice(begin, begin + size)
            d, weight = d_NC[some], self.weight_NC[some]
            s_NC = torch.addcmul(self.s_NC[some], d, t_C)
            chance = s_NC.clamp_(-_FARTHEST, _FARTHEST).sigmoid_()
            slope = torch.sub(chance, self.y_NC[some], out=self.slope_NC[some]).mul_(weight)
            curve = chance.addcmul_(chance, chance, value=-1).mul_(weight)
            self.mean_C += curve.sum(dim=0)
            slope_C += (slope * d).sum(dim=0)
            bend_C += curve.mul_(d).mul_(d).sum(dim=0)
        rows = max(len(d_NC), 1)
        self.mean_C /= rows
        return slope_C / rows, bend_C / rows

    def _step(self, step_QC: Tensor, step_NC: Tensor) -> None:
        """Moves, and remembers what the gradient did."""
        before_QC = self.g_QC
        self.u_QC, self.s_NC = self.u_QC + step_QC, self.s_NC.add_(step_NC)
        self.g_QC = self._gradient()
        change_QC = self.g_QC - before_QC
        bend_C = (step_QC * change_QC).sum(dim=0)
        # Without curvature (a column that stands still, or at the limits of its type) it is void.
        good_C = bend_C > _tiny(bend_C)
        self.past.append((step_QC, change_QC, torch.where(good_C, 1 / bend_C, 0)))


def _tiny(like: Tensor) -> float:
    """The smallest number that may be divided by."""
    return torch.finfo(like.dtype).tiny
