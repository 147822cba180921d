//! Trees of whatever serde writes.

use std::fmt;

use serde_core::ser::{
    Error, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct,
    SerializeStructVariant, SerializeTuple, SerializeTupleStruct, Serializer,
};

use crate::error::TreeError;
use crate::tree::{Tree, TreeContent, TreeEntry};

impl Tree {
    /// Makes the tree of a value.
    ///
    /// # Errors
    /// The value says that it has no text form, as a path that is not UTF-8, or a table has keys
    /// that are no strings.
    pub fn of(value: &(impl Serialize + ?Sized)) -> Result<Self, TreeError> {
        value.serialize(ToTree)
    }
}

impl Error for TreeError {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self::new(why.to_string(), None)
    }
}

impl From<TreeContent> for Tree {
    fn from(content: TreeContent) -> Self {
        Self { content, at: None }
    }
}

macro_rules! contents {
    ($($type:ty: $it:ident => $content:expr),+ $(,)?) => {$(
        impl From<$type> for TreeContent {
            fn from($it: $type) -> Self {
                $content
            }
        }
    )+};
}

contents!(
    bool: it => Self::Bool(it),
    i32: it => Self::Integer(it.into()),
    u32: it => Self::Integer(it.into()),
    u64: it => Self::Integer(it.into()),
    usize: it => Self::Integer(it as i128),
    f64: it => Self::Float(it),
    &str: it => Self::Text(it.to_owned()),
    String: it => Self::Text(it),
);

impl<T: Into<TreeContent>> From<Vec<T>> for TreeContent {
    fn from(list: Vec<T>) -> Self {
        let tree = |it: T| Tree::from(it.into());
        Self::List(list.into_iter().map(tree).collect())
    }
}

struct ToTree;

/// Makes a table that holds one value, by the name of a variant.
fn only(name: &str, value: Tree) -> Tree {
    let mut table = ToTable::default();
    table.push(name, value);
    TreeContent::Table(table.entries).into()
}

macro_rules! integers {
    ($($method:ident: $type:ty),+) => {$(
        fn $method(self, it: $type) -> Result<Tree, TreeError> {
            Ok(TreeContent::Integer(it.into()).into())
        }
    )+};
}

impl Serializer for ToTree {
    type Ok = Tree;
    type Error = TreeError;
    type SerializeSeq = ToList;
    type SerializeTuple = ToList;
    type SerializeTupleStruct = ToList;
    type SerializeTupleVariant = Impossible<Tree, TreeError>;
    type SerializeMap = ToTable;
    type SerializeStruct = ToTable;
    type SerializeStructVariant = ToTable;

    integers!(
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    );

    fn serialize_bool(self, it: bool) -> Result<Tree, TreeError> {
        Ok(TreeContent::Bool(it).into())
    }

    fn serialize_f32(self, it: f32) -> Result<Tree, TreeError> {
        self.serialize_f64(it.into())
    }

    fn serialize_f64(self, it: f64) -> Result<Tree, TreeError> {
        Ok(TreeContent::Float(it).into())
    }

    fn serialize_char(self, it: char) -> Result<Tree, TreeError> {
        Ok(TreeContent::Text(it.into()).into())
    }

    fn serialize_str(self, it: &str) -> Result<Tree, TreeError> {
        Ok(TreeContent::Text(it.to_owned()).into())
    }

    fn serialize_bytes(self, it: &[u8]) -> Result<Tree, TreeError> {
        Self::of_all(
            it.iter()
                .map(|byte| TreeContent::Integer((*byte).into()).into()),
        )
    }

    fn serialize_none(self) -> Result<Tree, TreeError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, it: &T) -> Result<Tree, TreeError> {
        it.serialize(self)
    }

    fn serialize_unit(self) -> Result<Tree, TreeError> {
        Ok(TreeContent::Nothing.into())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Tree, TreeError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
    ) -> Result<Tree, TreeError> {
        self.serialize_str(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        it: &T,
    ) -> Result<Tree, TreeError> {
        it.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        it: &T,
    ) -> Result<Tree, TreeError> {
        Ok(only(name, it.serialize(self)?))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<ToList, TreeError> {
        Ok(ToList::default())
    }

    fn serialize_tuple(self, _: usize) -> Result<ToList, TreeError> {
        Ok(ToList::default())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<ToList, TreeError> {
        Ok(ToList::default())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, TreeError> {
        Err(TreeError::custom(
            "variants with several values are no trees",
        ))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<ToTable, TreeError> {
        Ok(ToTable::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<ToTable, TreeError> {
        Ok(ToTable::default())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<ToTable, TreeError> {
        let variant = Some(variant);
        let table = ToTable::default();
        Ok(ToTable { variant, ..table })
    }
}

impl ToTree {
    fn of_all(trees: impl Iterator<Item = Tree>) -> Result<Tree, TreeError> {
        Ok(TreeContent::List(trees.collect()).into())
    }
}

#[derive(Default)]
struct ToList(Vec<Tree>);

impl SerializeSeq for ToList {
    type Ok = Tree;
    type Error = TreeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, it: &T) -> Result<(), TreeError> {
        self.0.push(it.serialize(ToTree)?);
        Ok(())
    }

    fn end(self) -> Result<Tree, TreeError> {
        Ok(TreeContent::List(self.0).into())
    }
}

impl SerializeTuple for ToList {
    type Ok = Tree;
    type Error = TreeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, it: &T) -> Result<(), TreeError> {
        SerializeSeq::serialize_element(self, it)
    }

    fn end(self) -> Result<Tree, TreeError> {
        SerializeSeq::end(self)
    }
}

impl SerializeTupleStruct for ToList {
    type Ok = Tree;
    type Error = TreeError;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, it: &T) -> Result<(), TreeError> {
        SerializeSeq::serialize_element(self, it)
    }

    fn end(self) -> Result<Tree, TreeError> {
        SerializeSeq::end(self)
    }
}

#[derive(Default)]
struct ToTable {
    entries: Vec<TreeEntry>,
    /// The key whose value comes next.
    key: String,
    /// The variant that has these fields, if there is one.
    variant: Option<&'static str>,
}

impl ToTable {
    fn push(&mut self, key: &str, value: Tree) {
        let (key, at) = (key.to_owned(), None);
        self.entries.push(TreeEntry { key, at, value });
    }

    fn finish(self) -> Tree {
        let table = TreeContent::Table(self.entries).into();
        match self.variant {
            Some(name) => only(name, table),
            None => table,
        }
    }
}

impl SerializeMap for ToTable {
    type Ok = Tree;
    type Error = TreeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), TreeError> {
        let key = key.serialize(ToTree)?;
        self.key = key.text("a string")?.to_owned();
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, it: &T) -> Result<(), TreeError> {
        let key = std::mem::take(&mut self.key);
        self.push(&key, it.serialize(ToTree)?);
        Ok(())
    }

    fn end(self) -> Result<Tree, TreeError> {
        Ok(self.finish())
    }
}

impl SerializeStruct for ToTable {
    type Ok = Tree;
    type Error = TreeError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        it: &T,
    ) -> Result<(), TreeError> {
        self.push(key, it.serialize(ToTree)?);
        Ok(())
    }

    fn end(self) -> Result<Tree, TreeError> {
        Ok(self.finish())
    }
}

impl SerializeStructVariant for ToTable {
    type Ok = Tree;
    type Error = TreeError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        it: &T,
    ) -> Result<(), TreeError> {
        SerializeStruct::serialize_field(self, key, it)
    }

    fn end(self) -> Result<Tree, TreeError> {
        Ok(self.finish())
    }
}
