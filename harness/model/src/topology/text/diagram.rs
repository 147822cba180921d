//! Topologies for drawing programs: Mermaid and Graphviz.

use std::fmt::Write;

use crate::topology::id::Owner;
use crate::topology::text::graph::{BoxKind, Graph, GraphBox};
use crate::topology::value::Topology;

impl Topology {
    /// Returns a Mermaid flowchart, which many hosts of code and documents show as a picture.
    ///
    /// ```
    /// use snowglobe_model::topology::shape;
    ///
    /// let text = "graph LR\n  node0[\"alice\"]\n  node1[\"bob\"]\n  node0 --- node1\n";
    /// assert_eq!(shape::pair().mermaid(), text);
    /// ```
    pub fn mermaid(&self) -> String {
        let graph = Graph::of(self);
        let mut text = "graph LR\n".to_string();
        for (drawn, id) in graph.boxes.iter().zip(ids(&graph)) {
            let name = drawn.name.replace('"', "#quot;");
            let _ = match drawn.kind {
                BoxKind::Switch(_) => writeln!(text, "  {id}([\"{name}\"])"),
                BoxKind::Stack(Owner::Node(_)) => writeln!(text, "  {id}[\"{name}\"]"),
                BoxKind::Stack(Owner::Pod(_)) => writeln!(
                    text,
                    "  {id}[[\"{name}: {}\"]]",
                    members(drawn).replace('"', "#quot;")
                ),
            };
        }
        let ids = ids(&graph);
        for [a, b] in &graph.cables {
            let _ = writeln!(text, "  {} --- {}", ids[*a], ids[*b]);
        }
        text
    }

    /// Returns a Graphviz graph.
    ///
    /// ```
    /// use snowglobe_model::topology::shape;
    ///
    /// let text = "\
    /// graph topology {
    ///   node [shape=box];
    ///   node0 [label=\"alice\"];
    ///   node1 [label=\"bob\"];
    ///   node0 -- node1;
    /// }
    /// ";
    /// assert_eq!(shape::pair().dot(), text);
    /// ```
    pub fn dot(&self) -> String {
        let graph = Graph::of(self);
        let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut text = "graph topology {\n  node [shape=box];\n".to_string();
        let ids = ids(&graph);
        for (drawn, id) in graph.boxes.iter().zip(&ids) {
            let name = quote(&drawn.name);
            let _ = match drawn.kind {
                BoxKind::Switch(_) => writeln!(text, "  {id} [label=\"{name}\", shape=ellipse];"),
                BoxKind::Stack(Owner::Node(_)) => writeln!(text, "  {id} [label=\"{name}\"];"),
                BoxKind::Stack(Owner::Pod(_)) => {
                    writeln!(
                        text,
                        "  {id} [label=\"{name}: {}\", shape=box3d];",
                        quote(&members(drawn))
                    )
                }
            };
        }
        for [a, b] in &graph.cables {
            let _ = writeln!(text, "  {} -- {};", ids[*a], ids[*b]);
        }
        text + "}\n"
    }
}

fn members(drawn: &GraphBox) -> String {
    drawn.members.join(", ")
}

/// Returns names that every drawing program accepts, whatever the nodes are called.
fn ids(graph: &Graph) -> Vec<String> {
    let id = |drawn: &GraphBox| match drawn.kind {
        BoxKind::Stack(Owner::Node(id)) => format!("node{}", id.index()),
        BoxKind::Stack(Owner::Pod(id)) => format!("pod{}", id.index()),
        BoxKind::Switch(id) => format!("switch{}", id.index()),
    };
    graph.boxes.iter().map(id).collect()
}

#[cfg(test)]
mod tests {
    use crate::topology::Topology;

    #[test]
    fn odd_names_stay_within_their_quotes() {
        let mut topology = Topology::new();
        let node = topology.node("a\"];\n");
        let lan = topology.switch("lan");
        topology.plug(node, lan);
        assert_eq!(topology.mermaid().lines().count(), 4);
        assert!(
            topology.dot().contains(r#"node0 [label="a\\\"];\\n"];"#),
            "{}",
            topology.dot()
        );
        assert!(
            topology
                .dot()
                .contains("switch0 [label=\"lan\", shape=ellipse];")
        );
    }
}
