//! Topologies in plain text, for people who read a failing test.

use std::collections::HashMap;
use std::fmt::Write;

use crate::topology::text::graph::{BoxKind, Graph};
use crate::topology::value::Topology;

/// The longest line, in columns, of a drawing that can be broken into lines.
const WIDTH: usize = 78;
/// The most branches that are drawn of a box. Of more, the last is drawn, and as many of the first
/// as there is room for.
const BRANCHES: usize = 24;
/// The depth to which branches are drawn.
const DEPTH: usize = 12;
/// The number of further links of a node that are named.
const OTHERS: usize = 8;

impl Topology {
    /// Draws the topology in ASCII: nodes in square brackets, switches in round ones, containers
    /// within their pod. Boxes joined by `~` are drawn elsewhere.
    ///
    /// ```
    /// use snowglobe_model::topology::{Topology, shape};
    ///
    /// assert_eq!(shape::pair().sketch(), "[alice]---[bob]\n");
    /// assert_eq!(shape::ring(6).sketch(), "\
    /// [n1]---[n2]---[n3]
    ///  |             |
    /// [n6]---[n5]---[n4]
    /// ");
    /// assert_eq!(shape::star(3).sketch(), "\
    /// (lan)
    ///  |-- [n1]
    ///  |-- [n2]
    ///  `-- [n3]
    /// ");
    /// ```
    pub fn sketch(&self) -> String {
        let graph = Graph::of(self);
        let drawing = |component: Vec<usize>| {
            graph
                .line(&component)
                .or_else(|| graph.ring(&component))
                .unwrap_or_else(|| graph.branches(&component))
        };
        graph
            .components()
            .into_iter()
            .map(drawing)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl Graph {
    fn label(&self, at: usize) -> String {
        let drawn = &self.boxes[at];
        match drawn.kind {
            BoxKind::Switch(_) => format!("({})", drawn.name),
            BoxKind::Stack(_) if drawn.members.is_empty() => format!("[{}]", drawn.name),
            BoxKind::Stack(_) => format!("[{}: {}]", drawn.name, drawn.members.join(", ")),
        }
    }

    fn cord(&self, from: usize, to: usize) -> String {
        match self.lines[from].iter().find(|(next, _)| *next == to) {
            Some((_, cables)) if *cables > 1 => format!("--{cables}x--"),
            _ => "---".into(),
        }
    }

    /// Returns the boxes of a row from `start` on, if no box has more than two lines.
    fn row(&self, component: &[usize], start: usize) -> Option<Vec<usize>> {
        if component.iter().any(|at| self.lines[*at].len() > 2) {
            return None;
        }
        let mut row = vec![start];
        let (mut before, mut at) = (start, start);
        while let Some((next, _)) = self.lines[at]
            .iter()
            .find(|(next, _)| *next != before && *next != start)
        {
            row.push(*next);
            (before, at) = (at, *next);
        }
        Some(row)
    }

    /// Returns a row of boxes, broken where a line is full.
    fn line(&self, component: &[usize]) -> Option<String> {
        let end = component.iter().find(|at| self.lines[**at].len() < 2)?;
        Some(self.wrapped(&self.row(component, *end)?))
    }

    fn wrapped(&self, row: &[usize]) -> String {
        let mut text = String::new();
        let mut width = 0;
        for (index, at) in row.iter().enumerate() {
            let label = self.label(*at);
            if index > 0 {
                let cord = self.cord(row[index - 1], *at);
                text.push_str(&cord);
                width += cord.len();
                if width + label.len() + 3 > WIDTH {
                    text.push_str("\n  ---");
                    width = 5;
                }
            }
            width += label.len();
            text.push_str(&label);
        }
        text + "\n"
    }

    /// Returns a circle, folded into two rows. A circle that is too long for that, or has two
    /// cables side by side, is a row that ends where it began.
    fn ring(&self, component: &[usize]) -> Option<String> {
        let row = self
            .row(component, component[0])
            .filter(|row| row.len() > 2)?;
        let single = |at: &usize| self.lines[*at].iter().all(|(_, cables)| *cables == 1);
        let columns = row.len().div_ceil(2);
        let top: Vec<String> = row[..columns].iter().map(|at| self.label(*at)).collect();
        let mut bottom: Vec<String> = row[columns..]
            .iter()
            .rev()
            .map(|at| self.label(*at))
            .collect();
        if bottom.len() < columns {
            let last = if bottom.len() > 1 {
                bottom.pop()
            } else {
                Some("-+".into())
            };
            bottom.resize(columns - 1, String::new());
            bottom.extend(last);
        }
        let widths: Vec<usize> = top
            .iter()
            .zip(&bottom)
            .map(|(a, b)| a.len().max(b.len()) + 3)
            .collect();
        let before_last: usize = widths[..columns - 1].iter().sum();
        let width = before_last + top[columns - 1].len().max(bottom[columns - 1].len());
        if width > WIDTH || !row.iter().all(single) {
            return Some(self.wrapped(&[&row[..], &row[..1]].concat()));
        }
        let draw = |labels: &[String]| {
            let mut text: String = labels[..columns - 1]
                .iter()
                .zip(&widths)
                .map(|(label, width)| format!("{label:-<width$}"))
                .collect();
            text.push_str(&labels[columns - 1]);
            text
        };
        Some(format!(
            "{}\n |{}|\n{}\n",
            draw(&top),
            " ".repeat(before_last - 1),
            draw(&bottom)
        ))
    }

    /// Returns branches from the middle outwards.
    fn branches(&self, component: &[usize]) -> String {
        let root = self.centre(component[0]);
        let (order, parents) = self.breadth_first(root);
        let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
        for at in order.into_iter().filter(|at| *at != root) {
            children.entry(parents[&at]).or_default().push(at);
        }
        let mut drawing = Drawing {
            graph: self,
            parents,
            children,
            drawn: HashMap::new(),
            text: String::new(),
        };
        drawing.branch(root, "", 0);
        drawing.text
    }
}

struct Drawing<'g> {
    graph: &'g Graph,
    parents: HashMap<usize, usize>,
    children: HashMap<usize, Vec<usize>>,
    /// The boxes that are drawn already.
    drawn: HashMap<usize, ()>,
    text: String,
}

impl Drawing<'_> {
    /// Draws a box, the row of boxes behind it, and its branches beneath.
    fn branch(&mut self, at: usize, indent: &str, depth: usize) {
        let mut tip = at;
        let mut width = indent.len() + self.put(at);
        while let [next] = self.children.get(&tip).map_or(&[][..], Vec::as_slice)[..] {
            if self.has_others(next) || self.has_others(tip) || width > WIDTH - 20 {
                break;
            }
            let cord = self.graph.cord(tip, next);
            self.text.push_str(&cord);
            width += cord.len() + self.put(next);
            tip = next;
        }
        self.put_others(tip);
        self.text.push('\n');
        self.below(tip, indent, depth);
    }

    fn below(&mut self, at: usize, indent: &str, depth: usize) {
        let children = self.children.get(&at).cloned().unwrap_or_default();
        if depth >= DEPTH && !children.is_empty() {
            let _ = writeln!(self.text, "{indent} `-- ...");
            return;
        }
        let hidden = if children.len() > BRANCHES {
            BRANCHES - 2..children.len() - 1
        } else {
            0..0
        };
        for (index, child) in children.iter().enumerate() {
            let last = index + 1 == children.len();
            if index == hidden.start && !hidden.is_empty() {
                let _ = writeln!(self.text, "{indent} |-- ... {} more ...", hidden.len());
            }
            if hidden.contains(&index) {
                continue;
            }
            let cord = self.graph.cord(at, *child);
            let _ = write!(
                self.text,
                "{indent} {}{} ",
                if last { '`' } else { '|' },
                &cord[1..]
            );
            let deeper = format!(
                "{indent} {}   {}",
                if last { ' ' } else { '|' },
                " ".repeat(cord.len() - 3)
            );
            self.branch(*child, &deeper, depth + 1);
        }
    }

    fn put(&mut self, at: usize) -> usize {
        let label = self.graph.label(at);
        self.text.push_str(&label);
        self.drawn.insert(at, ());
        label.len()
    }

    /// Returns whether a box has links to others than its parent and its children.
    fn has_others(&self, at: usize) -> bool {
        let children = self.children.get(&at).map_or(0, Vec::len);
        let parent = usize::from(self.parents[&at] != at);
        self.graph.lines[at].len() > children + parent
    }

    /// Names the links of a box to boxes that are drawn already, except to its parent.
    fn put_others(&mut self, at: usize) {
        if !self.has_others(at) {
            return;
        }
        let others = self.graph.lines[at].iter().map(|(other, _)| *other);
        let others: Vec<usize> = others
            .filter(|other| self.drawn.contains_key(other) && self.parents[&at] != *other)
            .collect();
        let names: Vec<String> = others
            .iter()
            .take(OTHERS)
            .map(|other| self.graph.label(*other))
            .collect();
        if !names.is_empty() {
            let _ = write!(self.text, " ~ {}", names.join(", "));
        }
        if others.len() > OTHERS {
            let _ = write!(self.text, " and {} more", others.len() - OTHERS);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::topology::{Topology, shape};

    #[test]
    fn odd_rings_close() {
        assert_eq!(
            shape::ring(3).sketch(),
            "[n1]---[n2]\n |      |\n[n3]----+\n"
        );
        assert_eq!(
            shape::ring(5).sketch(),
            "[n1]---[n2]---[n3]\n |             |\n[n5]----------[n4]\n"
        );
    }

    #[test]
    fn a_long_ring_ends_where_it_began() {
        let text = shape::ring(40).sketch();
        assert!(
            text.starts_with("[n1]---[n2]---") && text.ends_with("---[n1]\n"),
            "{text}"
        );
    }

    #[test]
    fn a_line_is_a_row_and_a_long_one_several() {
        assert_eq!(shape::line(3).sketch(), "[n1]---[n2]---[n3]\n");
        let long = shape::line(30).sketch();
        assert!(
            long.lines().count() > 1 && long.lines().all(|line| line.len() <= 80),
            "{long}"
        );
    }

    #[test]
    fn a_tree_grows_from_its_root() {
        let expected = "\
[n1]
 |-- [n2]
 |    |-- [n4]
 |    `-- [n5]
 `-- [n3]
      |-- [n6]
      `-- [n7]
";
        assert_eq!(shape::tree(2, 2).sketch(), expected);
    }

    #[test]
    fn a_mesh_names_its_other_links() {
        let expected = "[n1]\n |-- [n2]\n |-- [n3] ~ [n2]\n `-- [n4] ~ [n2], [n3]\n";
        assert_eq!(shape::full_mesh(4).sketch(), expected);
    }

    #[test]
    fn a_dumbbell_has_two_sides() {
        let expected = "\
[left]
 |-- [right]
 |    |-- [right-1]
 |    `-- [right-2]
 |-- [left-1]
 `-- [left-2]
";
        assert_eq!(shape::dumbbell(2, 2).sketch(), expected);
    }

    #[test]
    fn pods_doubled_cables_and_the_unlinked_are_seen() {
        let mut topology = Topology::new();
        let pod = topology.pod("web");
        let app = topology.container(pod, "app");
        topology.container(pod, "sidecar");
        let client = topology.node("client");
        topology.node("hermit");
        topology.link(client, app);
        topology.link(client, pod);
        assert_eq!(
            topology.sketch(),
            "[client]--2x--[web: app, sidecar]\n\n[hermit]\n"
        );
    }

    #[test]
    fn a_large_star_is_shortened() {
        let text = shape::star(1000).sketch();
        assert!(
            text.contains(" |-- ... 977 more ...\n `-- [n1000]\n"),
            "{text}"
        );
    }

    #[test]
    fn anything_can_be_drawn() {
        for seed in 0..50 {
            let text = shape::random(30, seed).sketch();
            assert!(
                (1..=30).all(|n| text.contains(&format!("[n{n}]"))),
                "{text}"
            );
        }
        assert_eq!(Topology::new().sketch(), "");
    }
}
