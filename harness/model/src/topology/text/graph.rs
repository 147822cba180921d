//! Topologies as drawings see them: boxes and lines. A wrong topology is drawn as far as possible.

use std::collections::{HashMap, VecDeque};

use crate::topology::id::Owner;
use crate::topology::id::{Endpoint, SwitchId};
use crate::topology::name::show;
use crate::topology::value::Topology;

pub(crate) struct Graph {
    pub(crate) boxes: Vec<GraphBox>,
    /// The neighbours of each box in the order of links, each with the number of cables to it.
    pub(crate) lines: Vec<Vec<(usize, usize)>>,
    /// Every cable, by its two boxes.
    pub(crate) cables: Vec<[usize; 2]>,
}

pub(crate) struct GraphBox {
    pub(crate) kind: BoxKind,
    pub(crate) name: String,
    /// The containers of a pod.
    pub(crate) members: Vec<String>,
}

pub(crate) enum BoxKind {
    Stack(Owner),
    Switch(SwitchId),
}

impl Graph {
    pub(crate) fn of(topology: &Topology) -> Graph {
        let clip = |name: &str| show(name).trim_matches('`').to_string();
        let mut boxes = Vec::new();
        let mut places: HashMap<Endpoint, usize> = HashMap::new();
        let mut put = |end: Endpoint, kind: BoxKind, name: &str| {
            places.insert(end, boxes.len());
            boxes.push(GraphBox {
                kind,
                name: clip(name),
                members: Vec::new(),
            });
        };
        for id in topology.nodes().filter(|id| topology.pod_of(*id).is_none()) {
            put(
                Endpoint::Node(id),
                BoxKind::Stack(Owner::Node(id)),
                topology[id].name(),
            );
        }
        for id in topology.pods() {
            put(
                Endpoint::Pod(id),
                BoxKind::Stack(Owner::Pod(id)),
                topology[id].name(),
            );
        }
        for id in topology.switches() {
            put(
                Endpoint::Switch(id),
                BoxKind::Switch(id),
                topology[id].name(),
            );
        }
        for id in topology.nodes() {
            let pod = topology
                .pod_of(id)
                .and_then(|pod| places.get(&Endpoint::Pod(pod)));
            if let Some(place) = pod {
                boxes[*place].members.push(clip(topology[id].name()));
            }
        }
        let place = |end: Endpoint| places.get(&topology.stack_end(end).unwrap_or(end)).copied();
        let cable = |ends: [Endpoint; 2]| Some([place(ends[0])?, place(ends[1])?]);
        let cables: Vec<[usize; 2]> = topology
            .links
            .iter()
            .filter_map(|link| cable(link.ends))
            .collect();
        let lines = lines(boxes.len(), &cables);
        Graph {
            boxes,
            lines,
            cables,
        }
    }

    /// Returns groups of boxes that are joined to each other, in order of their first boxes.
    pub(crate) fn components(&self) -> Vec<Vec<usize>> {
        let mut seen = vec![false; self.boxes.len()];
        let mut components = Vec::new();
        for start in 0..self.boxes.len() {
            if !seen[start] {
                let mut component = self.breadth_first(start).0;
                component.iter().for_each(|at| seen[*at] = true);
                component.sort_unstable();
                components.push(component);
            }
        }
        components
    }

    /// Returns the boxes in the order of their distance from `start`, and the box from which each
    /// was first reached.
    pub(crate) fn breadth_first(&self, start: usize) -> (Vec<usize>, HashMap<usize, usize>) {
        let mut parents = HashMap::from([(start, start)]);
        let mut order = Vec::new();
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            order.push(at);
            for (next, _) in &self.lines[at] {
                parents.entry(*next).or_insert_with(|| {
                    queue.push_back(*next);
                    at
                });
            }
        }
        (order, parents)
    }

    /// Returns the middle of a longest way: of a star the switch, of a tree the root. The first box
    /// is preferred if it is as much in the middle.
    pub(crate) fn centre(&self, first: usize) -> usize {
        let (one, radius) = self.farthest(first);
        let (two, _) = self.farthest(one);
        let parents = self.breadth_first(one).1;
        let mut way = vec![two];
        while way[way.len() - 1] != one {
            way.push(parents[&way[way.len() - 1]]);
        }
        let middle = way[way.len() / 2].min(way[(way.len() - 1) / 2]);
        if radius <= self.farthest(middle).1 {
            first
        } else {
            middle
        }
    }

    /// Returns a box at the greatest distance, and the distance.
    fn farthest(&self, from: usize) -> (usize, usize) {
        let (order, parents) = self.breadth_first(from);
        let end = order[order.len() - 1];
        let way = std::iter::successors(Some(end), |at| Some(parents[at]).filter(|_| *at != from));
        (end, way.count() - 1)
    }
}

fn lines(boxes: usize, cables: &[[usize; 2]]) -> Vec<Vec<(usize, usize)>> {
    let mut lines: Vec<Vec<(usize, usize)>> = vec![Vec::new(); boxes];
    let mut places: HashMap<(usize, usize), usize> = HashMap::new();
    for [a, b] in cables.iter().filter(|[a, b]| a != b) {
        for (from, to) in [(*a, *b), (*b, *a)] {
            let place = *places.entry((from, to)).or_insert_with(|| {
                lines[from].push((to, 0));
                lines[from].len() - 1
            });
            lines[from][place].1 += 1;
        }
    }
    lines
}
