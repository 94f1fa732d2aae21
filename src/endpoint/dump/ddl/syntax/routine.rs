//! Functions, procedures and aggregates: names for a list, and the definition as the server itself writes it.

use super::{Reader, begins_with, tokens};
use crate::catalog::ObjectKind;
use crate::endpoint::dump::ddl::definition::{Body, Definition, NewRoutine};
use squawk_syntax::ast::{self, AstNode};

impl Reader<'_> {
    pub(super) fn create_function(self, create: &ast::CreateFunction) -> Option<Definition> {
        let mut routine =
            self.routine(ObjectKind::Function, create.name(), create.param_list(), create.option_list())?;
        self.sql_body(&mut routine, create.body());
        if let Some(returns) = create.ret_type() {
            let text = self.piece(returns.syntax());
            let text = text.get("returns".len()..)?.trim_start();
            routine.returns_set = returns.return_table_arg_list().is_some()
                || tokens(returns.syntax()).nth(1).is_some_and(|word| word.text().eq_ignore_ascii_case("setof"));
            routine.returns = Some(text.to_owned());
        }
        Some(Definition::Routine(Box::new(routine)))
    }

    pub(super) fn create_procedure(self, create: &ast::CreateProcedure) -> Option<Definition> {
        let mut routine =
            self.routine(ObjectKind::Procedure, create.name(), create.param_list(), create.option_list())?;
        self.sql_body(&mut routine, create.body());
        Some(Definition::Routine(Box::new(routine)))
    }

    pub(super) fn create_aggregate(self, create: &ast::CreateAggregate) -> Option<Definition> {
        let routine = self.routine(ObjectKind::Aggregate, create.aggregate_name(), create.param_list(), None)?;
        Some(Definition::Routine(Box::new(routine)))
    }

    fn routine(
        self,
        kind: ObjectKind,
        name: Option<impl AstNode>,
        parameters: Option<ast::ParamList>,
        options: Option<ast::FuncOptionList>,
    ) -> Option<NewRoutine> {
        let parameters = parameters?;
        let list = self.piece(parameters.syntax());
        let arguments = list.strip_prefix('(')?.strip_suffix(')')?.trim();
        let arguments = if arguments == "*" { "" } else { arguments };
        let mut routine = NewRoutine {
            kind,
            name: self.name(name)?,
            arguments: arguments.to_owned(),
            identity: self.without_defaults(&parameters, arguments),
            returns: None,
            returns_set: false,
            language: None,
            transform: None,
            properties: Vec::new(),
            settings: Vec::new(),
            body: None,
        };
        let mut found = [const { None::<String> }; 9];
        for option in options.iter().flat_map(ast::FuncOptionList::options) {
            use ast::FuncOption as Its;
            let text = || self.piece(option.syntax()).to_owned();
            // The places of the server's own order.
            match &option {
                Its::LanguageFuncOption(_) => {
                    routine.language = Some(text().get("language".len()..)?.trim_start().to_owned());
                }
                Its::TransformFuncOption(_) => routine.transform = Some(text()),
                Its::WindowFuncOption(_) => found[0] = Some("WINDOW".to_owned()),
                Its::VolatilityFuncOption(_) => found[1] = Some(text()).filter(|word| word != "VOLATILE"),
                Its::ParallelFuncOption(_) => found[2] = Some(text()).filter(|words| words != "PARALLEL UNSAFE"),
                Its::StrictFuncOption(_) | Its::ReturnsNullOnNullInputFuncOption(_) => {
                    found[3] = Some("STRICT".to_owned());
                }
                Its::SecurityDefinerFuncOption(_) => found[4] = Some("SECURITY DEFINER".to_owned()),
                Its::LeakproofFuncOption(_) => found[5] = Some("LEAKPROOF".to_owned()),
                Its::CostFuncOption(_) => found[6] = Some(text()),
                Its::RowsFuncOption(_) => found[7] = Some(text()),
                Its::SupportFuncOption(_) => found[8] = Some(text()),
                Its::SetFuncOption(_) => routine.settings.push(text()),
                Its::AsFuncOption(body) => routine.body = Some(self.body(body)?),
                Its::CalledOnNullInputFuncOption(_)
                | Its::NotLeakproofFuncOption(_)
                | Its::SecurityInvokerFuncOption(_) => {}
                Its::ResetFuncOption(_) => return None,
            }
        }
        routine.properties = found.into_iter().flatten().collect();
        Some(routine)
    }

    fn sql_body(self, routine: &mut NewRoutine, body: Option<ast::RoutineBody>) {
        if let Some(body) = body {
            routine.body = Some(Body::Sql(self.piece(body.syntax()).to_owned()));
        }
    }

    fn body(self, option: &ast::AsFuncOption) -> Option<Body> {
        let mut literals = option.syntax().descendants().filter_map(ast::Literal::cast);
        let first = self.string(literals.next())?;
        Some(match literals.next() {
            Some(symbol) => Body::Object(first, self.string(Some(symbol))?),
            None => Body::Text(first),
        })
    }

    /// The list of parameters without the defaults in it.
    fn without_defaults(self, parameters: &ast::ParamList, arguments: &str) -> String {
        if begins_with(parameters.syntax(), &["(", "*"]) {
            return String::new();
        }
        // Where the list starts in the statement.
        let Some(start) = self.text.get(usize::from(parameters.syntax().text_range().start())..) else {
            return arguments.to_owned();
        };
        let start = self.text.len() - start.len() + start.find(arguments).unwrap_or_default();
        let mut text = String::with_capacity(arguments.len());
        let mut at = 0;
        for default in parameters.syntax().descendants().filter_map(ast::ParamDefault::cast) {
            let range = default.syntax().text_range();
            let (from, to) = (usize::from(range.start()), usize::from(range.end()));
            let (Some(from), Some(to)) = (from.checked_sub(start), to.checked_sub(start)) else { continue };
            text.push_str(arguments.get(at..from).unwrap_or_default().trim_end());
            at = to;
        }
        text.push_str(arguments.get(at..).unwrap_or_default());
        text
    }
}
