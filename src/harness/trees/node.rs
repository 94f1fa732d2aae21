//! A value of a document before it is spelled.

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as JSON spells it.
    Number(String),
    /// A text.
    Text(String),
    /// A text as only JSON spells it, in its quotes.
    Quoted(&'static str),
    /// Elements.
    Array(Vec<Node>),
    /// Keys and values, in this order.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// The value of a text of JSON, if it is one.
    pub fn of_json(text: &str) -> Option<Node> {
        serde_json::from_str(text).ok().map(Self::of_value)
    }

    fn of_value(value: serde_json::Value) -> Node {
        match value {
            serde_json::Value::Null => Node::Null,
            serde_json::Value::Bool(value) => Node::Bool(value),
            serde_json::Value::Number(number) => Node::Number(number.to_string()),
            serde_json::Value::String(text) => Node::Text(text),
            serde_json::Value::Array(elements) => Node::Array(elements.into_iter().map(Self::of_value).collect()),
            serde_json::Value::Object(members) => {
                Node::Object(members.into_iter().map(|(key, value)| (key, Self::of_value(value))).collect())
            }
        }
    }

    /// Puts a value below members of an object, which are made where they are missing. What is there already stays.
    pub fn put(&mut self, members: &[String], value: Node) {
        let Some((first, deeper)) = members.split_first() else {
            *self = value;
            return;
        };
        if !matches!(self, Node::Object(_)) {
            *self = Node::Object(Vec::new());
        }
        let Node::Object(entries) = self else { return };
        match entries.iter_mut().find(|(key, _)| key == first) {
            Some((_, inner)) if !deeper.is_empty() => inner.put(deeper, value),
            Some(_) => {}
            None => {
                let mut inner = Node::Null;
                inner.put(deeper, value);
                entries.push((first.clone(), inner));
            }
        }
    }
}
