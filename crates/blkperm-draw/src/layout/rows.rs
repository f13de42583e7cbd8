//! In which row everything stands, in linear time.
//!
//! The rankers of `dagre` take quadratic time and more, but for the longest path alone, which would
//! leave every export and job at the upper edge. Here what nothing stands on comes down to its
//! children, and `dagre` is told so by ties that nobody sees: see [`Rows::above`].

/// The row of each vertex, counted from above, and a vertex in the row right above it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Rows {
    /// The number of the row.
    pub(super) row: Vec<usize>,
    /// A vertex in the row above, a parent where one is there; none in the first row. These lead from
    /// each vertex to the first row, so that the longest way there is as long as its row says.
    pub(super) above: Vec<Option<usize>>,
}

impl Rows {
    /// The rows of so many vertices, with ties from parents to children.
    pub(super) fn of(count: usize, ties: &[(usize, usize)]) -> Rows {
        let order = order(count, ties);
        let mut place = vec![0; count];
        order.iter().enumerate().for_each(|(at, &vertex)| place[vertex] = at);
        let mut parents: Vec<Vec<usize>> = vec![Vec::new(); count];
        let mut children = parents.clone();
        for &(parent, child) in ties {
            let (parent, child) =
                if place[parent] < place[child] { (parent, child) } else { (child, parent) };
            parents[child].push(parent);
            children[parent].push(child);
        }
        let mut rows = Rows { row: vec![0; count], above: vec![None; count] };
        for &vertex in &order {
            rows.above[vertex] = parents[vertex].iter().copied().max_by_key(|&one| rows.row[one]);
            rows.row[vertex] = rows.above[vertex].map_or(0, |parent| rows.row[parent] + 1);
        }
        let mut hangs = vec![false; count];
        for &vertex in order.iter().rev() {
            hangs[vertex] =
                is_one(&parents[vertex]) && children[vertex].iter().all(|&it| hangs[it]);
            let held = children[vertex].iter().copied().filter(|&child| !hangs[child]);
            if held.clone().count() >= parents[vertex].len() {
                rows.let_down(vertex, held.min_by_key(|&child| rows.row[child]));
            }
        }
        for &vertex in order.iter().filter(|&&vertex| hangs[vertex]) {
            let parent = parents[vertex][0];
            (rows.row[vertex], rows.above[vertex]) = (rows.row[parent] + 1, Some(parent));
        }
        rows
    }

    /// Over how many rows a tie goes.
    pub(super) fn length(&self, (parent, child): (usize, usize)) -> usize {
        self.row[parent].abs_diff(self.row[child])
    }

    /// Puts a vertex right above the nearest of its children. What is above that child, and above
    /// that again, has not moved: the way that made the child's row goes through it.
    fn let_down(&mut self, vertex: usize, nearest: Option<usize>) {
        let Some(child) = nearest.filter(|&child| self.row[child] > self.row[vertex] + 1) else {
            return;
        };
        self.row[vertex] = self.row[child] - 1;
        self.above[vertex] = self.above[child].and_then(|beside| self.above[beside]);
    }
}

/// Whether there is just one parent. With nothing but such vertices below, a vertex follows it.
fn is_one(parents: &[usize]) -> bool {
    parents.first().is_some_and(|first| parents.iter().all(|one| one == first))
}

/// The vertices, parents first as far as there is no cycle: two states in one picture may make one.
fn order(count: usize, ties: &[(usize, usize)]) -> Vec<usize> {
    let mut waits = vec![0_usize; count];
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); count];
    for &(parent, child) in ties {
        waits[child] += 1;
        children[parent].push(child);
    }
    let mut order: Vec<usize> = (0..count).filter(|&vertex| waits[vertex] == 0).collect();
    let mut is_placed = vec![false; count];
    order.iter().for_each(|&vertex| is_placed[vertex] = true);
    let (mut next, mut least) = (0, 0);
    while order.len() < count || next < order.len() {
        let Some(&vertex) = order.get(next) else {
            while is_placed[least] {
                least += 1;
            }
            is_placed[least] = true;
            order.push(least);
            continue;
        };
        next += 1;
        for &child in &children[vertex] {
            waits[child] -= 1;
            if waits[child] == 0 && !std::mem::replace(&mut is_placed[child], true) {
                order.push(child);
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `dagre` makes of the ties: the longest way to the first row.
    fn check(count: usize, ties: &[(usize, usize)]) -> Vec<usize> {
        let rows = Rows::of(count, ties);
        for vertex in 0..count {
            match rows.above[vertex] {
                Some(above) => assert_eq!(rows.row[above] + 1, rows.row[vertex], "{vertex}"),
                None => assert_eq!(rows.row[vertex], 0, "{vertex}"),
            }
        }
        assert!(ties.iter().all(|&tie| rows.length(tie) > 0), "{:?}", rows.row);
        rows.row
    }

    #[test]
    fn what_nothing_stands_on_comes_down_to_its_child() {
        // A chain 0, 1, 2, 3, a file 4 below the first, and an export 5 on the last.
        assert_eq!(check(6, &[(0, 1), (1, 2), (2, 3), (0, 4), (5, 3)]), [0, 1, 2, 3, 1, 2]);
    }

    #[test]
    fn a_short_way_to_a_shared_node_comes_down_with_what_hangs_on_it() {
        // A chain of 0 to 4; 5 and its file 6 stand on the last too, and the export 7 on 5.
        let ties = [(0, 1), (1, 2), (2, 3), (3, 4), (5, 4), (5, 6), (7, 5)];
        assert_eq!(check(8, &ties), [0, 1, 2, 3, 4, 3, 4, 2]);
    }

    #[test]
    fn a_cycle_is_cut_open() {
        let row = check(3, &[(0, 1), (1, 2), (2, 0)]);
        assert_eq!(row, [0, 1, 2]);
    }

    #[test]
    fn random_graphs_have_a_way_to_the_first_row() {
        let mut seed = 1_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            (seed >> 33) as usize % below
        };
        for _ in 0..500 {
            let count = 2 + random(20);
            let ties: Vec<(usize, usize)> = (0..random(40))
                .map(|_| (random(count), random(count)))
                .filter(|(parent, child)| parent != child)
                .collect();
            check(count, &ties);
        }
    }
}
