//! Bounded Levenberg-Marquardt for the three parameters of the law.

/// α, β, γ.
pub(super) type Parameters = [f64; 3];
pub(super) type Matrix = [[f64; 3]; 3];

const LOWER: Parameters = [0.0, 0.0, 0.0];
const UPPER: Parameters = [1.0, 1.0, f64::INFINITY];
const STEPS: usize = 500;

/// A measured point with its weight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) load: f64,
    pub(super) throughput: f64,
    pub(super) weight: f64,
}

pub(super) fn throughput(load: f64, [alpha, beta, gamma]: &Parameters) -> f64 {
    gamma * load / slowdown(load, *alpha, *beta)
}

fn slowdown(load: f64, alpha: f64, beta: f64) -> f64 {
    1.0 + alpha * (load - 1.0) + beta * load * (load - 1.0)
}

fn gradient(load: f64, [alpha, beta, gamma]: &Parameters) -> Parameters {
    let slow = slowdown(load, *alpha, *beta);
    let common = -gamma * load * (load - 1.0) / (slow * slow);
    [common, common * load, load / slow]
}

/// The weighted sum of squared residuals.
pub(super) fn cost(points: &[Point], parameters: &Parameters) -> f64 {
    points
        .iter()
        .map(|p| p.weight * (p.throughput - throughput(p.load, parameters)).powi(2))
        .sum()
}

/// The best of several starts: the valley is narrow when loads are few, and R's start alone stops in it.
pub(super) fn solve(points: &[Point]) -> Parameters {
    let gamma = points
        .iter()
        .map(|point| point.throughput / point.load)
        .fold(0.0, f64::max);
    let starts = [[0.01, 1e-4, gamma], [0.1, 0.01, gamma], [0.5, 1e-6, gamma]];
    starts
        .into_iter()
        .map(|start| descend(points, start))
        .min_by(|one, other| cost(points, one).total_cmp(&cost(points, other)))
        .expect("there are three starts")
}

/// Marquardt's damping by the diagonal makes the steps independent of the parameters' scales; a
/// parameter on its bound that the descent would push outside stays there for the step.
fn descend(points: &[Point], start: Parameters) -> Parameters {
    let mut parameters = start;
    let mut current = cost(points, &parameters);
    let mut damping = 1e-3;
    for _ in 0..STEPS {
        let (normal, slope) = normal_equations(points, &parameters);
        let free = free_parameters(&parameters, &slope);
        let Some(step) = damped_step(&normal, &slope, free, damping) else {
            break;
        };
        let mut next = parameters;
        for i in 0..3 {
            next[i] = (parameters[i] + step[i]).clamp(LOWER[i], UPPER[i]);
        }
        let reached = cost(points, &next);
        if reached <= current {
            let moved = (0..3).any(|i| (next[i] - parameters[i]).abs() > 1e-14 * next[i].abs());
            let gained = current - reached > 1e-16 * current;
            (parameters, current) = (next, reached);
            damping = (damping / 10.0).max(1e-14);
            if !moved && !gained {
                break;
            }
        } else {
            damping *= 10.0;
            if damping > 1e14 {
                break;
            }
        }
    }
    parameters
}

/// JᵀWJ and JᵀWr.
pub(super) fn normal_equations(points: &[Point], parameters: &Parameters) -> (Matrix, Parameters) {
    let mut normal = [[0.0; 3]; 3];
    let mut slope = [0.0; 3];
    for point in points {
        let gradient = gradient(point.load, parameters);
        let residual = point.throughput - throughput(point.load, parameters);
        for i in 0..3 {
            slope[i] += point.weight * gradient[i] * residual;
            for j in 0..3 {
                normal[i][j] += point.weight * gradient[i] * gradient[j];
            }
        }
    }
    (normal, slope)
}

fn free_parameters(parameters: &Parameters, slope: &Parameters) -> [bool; 3] {
    std::array::from_fn(|i| {
        let held_low = parameters[i] <= LOWER[i] && slope[i] < 0.0;
        let held_high = parameters[i] >= UPPER[i] && slope[i] > 0.0;
        !held_low && !held_high
    })
}

fn damped_step(
    normal: &Matrix,
    slope: &Parameters,
    free: [bool; 3],
    damping: f64,
) -> Option<Parameters> {
    let mut matrix = [[0.0; 3]; 3];
    let mut right = [0.0; 3];
    for i in 0..3 {
        if !free[i] {
            matrix[i][i] = 1.0;
            continue;
        }
        right[i] = slope[i];
        for j in 0..3 {
            if free[j] {
                matrix[i][j] = normal[i][j];
            }
        }
        matrix[i][i] += damping * normal[i][i];
    }
    let inverse = inverse(&matrix)?;
    Some(std::array::from_fn(|i| {
        (0..3).map(|j| inverse[i][j] * right[j]).sum()
    }))
}

/// The inverse of a symmetric positive matrix; scaled by its diagonal first, because α, β and γ differ
/// by many orders of magnitude. `None` when it is singular.
pub(super) fn inverse(matrix: &Matrix) -> Option<Matrix> {
    let scale: Parameters = std::array::from_fn(|i| matrix[i][i].sqrt());
    if scale.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
        return None;
    }
    let m: Matrix =
        std::array::from_fn(|i| std::array::from_fn(|j| matrix[i][j] / scale[i] / scale[j]));
    let minor = |i: usize, j: usize| {
        let [a, b] = others(i);
        let [c, d] = others(j);
        let sign = if (i + j).is_multiple_of(2) { 1.0 } else { -1.0 };
        sign * (m[a][c] * m[b][d] - m[a][d] * m[b][c])
    };
    let determinant: f64 = (0..3).map(|j| m[0][j] * minor(0, j)).sum();
    if !determinant.is_finite() || determinant.abs() < 1e-18 {
        return None;
    }
    Some(std::array::from_fn(|i| {
        std::array::from_fn(|j| minor(j, i) / determinant / scale[i] / scale[j])
    }))
}

fn others(i: usize) -> [usize; 2] {
    match i {
        0 => [1, 2],
        1 => [0, 2],
        _ => [0, 1],
    }
}
