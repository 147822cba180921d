//! What users of snowglobe would write, against real programs.
