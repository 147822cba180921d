//! Circles of dependencies: where there is one, no order of the transactions explains them.

use std::collections::VecDeque;

use super::KINDS;
use super::graph::{Dependencies, Dependency, READ_WRITE, REAL_TIME};
use crate::report::AnomalyKind;

/// A circle of transactions, each of which must come before the next.
pub(super) struct Circle {
    pub(super) kind: AnomalyKind,
    /// Edges of the circle, each with the place of the transaction from which it goes.
    pub(super) edges: Vec<(usize, Dependency)>,
}

/// Returns a short circle for each kind and each knot of transactions that has one. A knot with a
/// worse circle is not searched for a lesser one.
pub(super) fn circles(graph: &Dependencies) -> Vec<Circle> {
    let mut found: Vec<Circle> = Vec::new();
    let mut done = vec![false; graph.edges.len()];
    for (kind, first, others) in KINDS {
        let others = others | REAL_TIME;
        for component in components(graph, first | others) {
            if component.iter().any(|place| done[*place]) {
                continue;
            }
            if let Some(edges) = shortest(graph, &component, first, others) {
                edges.iter().for_each(|(from, _)| done[*from] = true);
                found.push(Circle { kind, edges });
            }
        }
    }
    found
}

/// Number of edges of one knot from which circles are looked for.
const STARTS: usize = 200;

/// Returns the shortest circle with one edge of the kinds `first` and the others of the kinds
/// `others`.
fn shortest(
    graph: &Dependencies,
    component: &[usize],
    first: u8,
    others: u8,
) -> Option<Vec<(usize, Dependency)>> {
    let mut inside = vec![false; graph.edges.len()];
    component.iter().for_each(|place| inside[*place] = true);
    let starts = component.iter().flat_map(|from| {
        let edges = graph.edges[*from].iter();
        edges.map(move |edge| (*from, edge))
    });
    let starts = starts.filter(|(_, edge)| edge.kind & first != 0 && inside[edge.to]);
    let circles = starts.take(limit(first)).filter_map(|(from, edge)| {
        let mut circle = vec![(from, edge.clone())];
        circle.extend(path(graph, edge.to, from, others, &inside)?);
        Some(circle)
    });
    circles.min_by_key(Vec::len)
}

/// Returns how many edges are tried. A knot may have many edges that are in no circle of the kind,
/// so that all of those that are rare are tried.
fn limit(first: u8) -> usize {
    if first == READ_WRITE {
        usize::MAX
    } else {
        STARTS
    }
}

/// Returns the shortest path of edges of some kinds.
fn path(
    graph: &Dependencies,
    from: usize,
    to: usize,
    kinds: u8,
    inside: &[bool],
) -> Option<Vec<(usize, Dependency)>> {
    let mut came: Vec<Option<(usize, &Dependency)>> = vec![None; graph.edges.len()];
    let mut open = VecDeque::from([from]);
    while let Some(place) = open.pop_front() {
        if place == to {
            break;
        }
        for edge in &graph.edges[place] {
            let new = edge.to != from && came[edge.to].is_none();
            if edge.kind & kinds != 0 && inside[edge.to] && new {
                came[edge.to] = Some((place, edge));
                open.push_back(edge.to);
            }
        }
    }
    let (mut path, mut place) = (Vec::new(), to);
    while place != from {
        let (before, edge) = came[place]?;
        path.push((before, edge.clone()));
        place = before;
    }
    path.reverse();
    Some(path)
}

/// A transaction on the way of the search for components.
struct Visit {
    place: usize,
    /// Number of the next edge to follow.
    next: usize,
}

/// Returns the strongly connected components of more than one transaction, by Tarjan's algorithm
/// ("Depth-First Search and Linear Graph Algorithms", 1972), with a stack of its own: a history has
/// more transactions than a thread has stack frames.
fn components(graph: &Dependencies, kinds: u8) -> Vec<Vec<usize>> {
    let count = graph.edges.len();
    let (mut index, mut low) = (vec![usize::MAX; count], vec![0; count]);
    let (mut stacked, mut stack) = (vec![false; count], Vec::new());
    let (mut number, mut found) = (0, Vec::new());
    for root in 0..count {
        let mut visits = Vec::new();
        if index[root] == usize::MAX {
            visits.push(Visit {
                place: root,
                next: 0,
            });
        }
        while let Some(visit) = visits.last_mut() {
            let place = visit.place;
            if visit.next == 0 {
                (index[place], low[place]) = (number, number);
                number += 1;
                stack.push(place);
                stacked[place] = true;
            }
            let edge = graph.edges[place].get(visit.next);
            visit.next += 1;
            match edge {
                Some(edge) if edge.kind & kinds == 0 => {}
                Some(edge) if index[edge.to] == usize::MAX => visits.push(Visit {
                    place: edge.to,
                    next: 0,
                }),
                Some(edge) if stacked[edge.to] => low[place] = low[place].min(index[edge.to]),
                Some(_) => {}
                None => {
                    visits.pop();
                    if let Some(parent) = visits.last() {
                        low[parent.place] = low[parent.place].min(low[place]);
                    }
                    if low[place] == index[place] {
                        let from = stack.iter().rposition(|it| *it == place).unwrap_or(0);
                        let component = stack.split_off(from);
                        component.iter().for_each(|it| stacked[*it] = false);
                        if component.len() > 1 {
                            found.push(component);
                        }
                    }
                }
            }
        }
    }
    found
}
