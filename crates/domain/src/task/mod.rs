//! Tasks: the entity, its value objects, the ports that keep them and the use cases around them.

mod archive;
mod change;
mod cursor;
mod description;
mod entity;
mod error;
mod filter;
mod id;
mod idempotency;
mod page;
mod page_limit;
mod query;
mod repository;
mod search;
mod service;
mod sort;
mod sort_key;
mod status;
mod summary;
mod title;
mod version;

pub use archive::{ArchivedTask, TaskArchive};
pub use change::{Edit, TaskChange};
pub use cursor::{Cursor, Position};
pub use description::{Description, DescriptionError};
pub use entity::{InconsistentTask, NewTask, Task, TaskParts};
pub use error::{GetError, InsertError, UpdateError};
pub use filter::{StatusSet, TaskFilter};
pub use id::{NotATaskId, TaskId, TaskIds};
pub use idempotency::{Fingerprint, IdempotencyKey, InvalidIdempotencyKey};
pub use page::Page;
pub use page_limit::{InvalidPageLimit, PageLimit};
pub use query::{CursorOfAnotherList, TaskQuery};
#[cfg(feature = "testing")]
pub use repository::MockTaskRepository;
pub use repository::{Expected, Inserted, TaskRepository};
pub use search::{SearchTerm, SearchTermError, fold_case};
pub use service::{Created, TaskService};
pub use sort::{Direction, Sort};
pub use sort_key::SortKey;
pub use status::{Status, UnknownStatus};
pub use summary::Summary;
pub use title::{Title, TitleError, TitleStart};
pub use version::{InvalidVersion, Version};
