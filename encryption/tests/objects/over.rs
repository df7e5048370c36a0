//! `object_store`'s own tests, over memory and over local files, with encrypted names and with clear ones.

use super::suite::Abilities;

/// Each test of the list by its name, over one kind of store below.
macro_rules! passes {
    ($below:ident, $names:ident, $abilities:ident) => {
        mod $below {
            mod $names {
                use crate::objects::suite::{self, Abilities};
                use crate::objects::support::{Below, below};

                const ABILITIES: Abilities = crate::objects::over::$abilities;

                fn store() -> Below {
                    below::$below(below::$names)
                }

                passes!(
                    put_get_delete_list put_get_attributes get_opts stream_get list_uses_directories_correctly
                    list_with_delimiter list_with_offset_exclusivity get_nonexistent_object rename_and_copy
                    copy_if_not_exists copy_rename_nonexistent_object multipart_race_condition multipart_out_of_order
                );

                #[tokio::test]
                async fn put_opts() {
                    suite::put_opts(&store().objects, ABILITIES).await;
                }

                #[tokio::test]
                async fn all_on_one_store() {
                    suite::all(&store().objects, ABILITIES).await;
                }
            }
        }
    };
    ($($test:ident)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                suite::$test(&store().objects).await;
            }
        )*
    };
}

const MEMORY: Abilities = Abilities { update: true, copy_if_not_exists: true, attributes: true };
const FILES: Abilities = Abilities { update: false, copy_if_not_exists: true, attributes: true };

mod encrypted_names {
    passes!(memory, encrypted, MEMORY);
    passes!(files, encrypted, FILES);
}

mod clear_names {
    passes!(memory, clear, MEMORY);
    passes!(files, clear, FILES);
}
