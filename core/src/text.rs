//! The one way to write a closed set of words: in serde and in keys it is its text.

/// Defines an enum of words. An unknown word is an error, never another value.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)+
                }
            }

            /// The value of a word, if it is one of them.
            pub fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($text => Some($name::$variant),)+
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(text: &str) -> $crate::Result<Self> {
                Self::from_text(text).ok_or_else(|| {
                    let words = [$($text),+].join(", ");
                    $crate::Error::new($crate::ErrorKind::InvalidInput, format!("not one of {words}"))
                })
            }
        }

        // As in the derive: kept out of the compiler's advice.
        #[diagnostic::do_not_recommend]
        impl $crate::key::Component for $name {
            type Borrowed = Self;
            const KIND: $crate::key::Kind = $crate::key::Kind::String;

            fn encode(value: &Self, out: &mut Vec<u8>) {
                <String as $crate::key::Component>::encode(value.as_str(), out);
            }

            fn decode(input: &mut &[u8]) -> $crate::Result<Self> {
                let text = <String as $crate::key::Component>::decode(input)?;
                Self::from_text(&text).ok_or_else(|| {
                    $crate::Error::new($crate::ErrorKind::Corrupt, concat!("a key holds no known ", stringify!($name)))
                })
            }
        }
    };
}

/// `Debug` that names the type and shows nothing: a record that lands in a log must not bring its content.
macro_rules! opaque_debug {
    ($($name:ident),+ $(,)?) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

pub(crate) use {opaque_debug, text_enum};
