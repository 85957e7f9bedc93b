//! What the configuration means: templates, the tree of dependent resources, paths, all checked.

mod compile;
mod rules;
mod tree;

use crate::config::{
    AuthConfig, ClientConfig, OnLoop, PaginatorConfig, Problem, ResourceConfig, ResponseAction, Severity,
};
use crate::incremental::IncrementalPlan;
use crate::jsonpath::JsonPath;
use crate::steps::Step;
use crate::template::{JsonTemplate, Template};
use longshore_core::connect::Secret;

pub(crate) use rules::settings;

/// All resources.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) resources: Vec<Resource>,
}

/// One resource, ready to be fetched.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) parent: Option<usize>,
    pub(crate) children: Vec<usize>,
    pub(crate) parallelized: bool,
    pub(crate) request: RequestPlan,
    pub(crate) auth: Option<AuthConfig>,
    pub(crate) selector: Option<JsonPath>,
    /// The path ends in a placeholder, and nothing is said of pages and selector: dlt takes the whole response for one record.
    pub(crate) single_entity: bool,
    pub(crate) paginator: PaginatorConfig,
    pub(crate) actions: Vec<ResponseAction>,
    pub(crate) steps: Vec<Step>,
    pub(crate) incremental: Option<IncrementalPlan>,
    /// Fields of its records that other resources need.
    pub(crate) captures: Vec<JsonPath>,
    /// Fields of ancestors that are put into its records: name, resource, capture.
    pub(crate) include: Vec<(String, usize, usize)>,
    /// Fields of ancestors that its requests are made of: what tells its parents apart.
    pub(crate) bound: Vec<(usize, usize)>,
    pub(crate) count: Option<JsonPath>,
    pub(crate) on_short: Option<Severity>,
    pub(crate) on_loop: OnLoop,
    pub(crate) strict: bool,
}

/// The first request of a resource.
#[derive(Debug, Clone)]
pub(crate) struct RequestPlan {
    pub(crate) method: reqwest::Method,
    pub(crate) path: Template,
    pub(crate) params: Vec<(String, Param)>,
    pub(crate) headers: Vec<(String, HeaderValue)>,
    pub(crate) body: Body,
}

/// A header: a secret as it is, or a text with placeholders.
#[derive(Debug, Clone)]
pub(crate) enum HeaderValue {
    Fixed(Secret),
    Template(Template),
}

/// A value of the query.
#[derive(Debug, Clone)]
pub(crate) enum Param {
    One(Template),
    Many(Vec<Template>),
}

/// The body.
#[derive(Debug, Clone, Default)]
pub(crate) enum Body {
    #[default]
    None,
    Json(JsonTemplate),
    Form(Vec<(String, Param)>),
    Raw(Template),
}

impl Plan {
    /// Makes the plan of a configuration.
    pub(crate) fn new(client: &ClientConfig, configs: &[ResourceConfig]) -> Result<Plan, Vec<Problem>> {
        let mut problems = rules::check_client(client);
        let parents = tree::parents(configs, &mut problems);
        // Each resource is looked at by itself as well, so that everything is said at once.
        let resources = compile::compile(client, configs, &parents, &mut problems);
        if problems.is_empty() { Ok(Plan { resources }) } else { Err(problems) }
    }

    /// Returns which resources have to be fetched: the selected ones and their ancestors.
    pub(crate) fn needed(&self, selected: &[bool]) -> Vec<bool> {
        let mut needed = selected.to_vec();
        for i in (0..needed.len()).filter(|i| selected[*i]) {
            let mut at = i;
            while let Some(parent) = self.resources[at].parent {
                needed[parent] = true;
                at = parent;
            }
        }
        needed
    }
}
