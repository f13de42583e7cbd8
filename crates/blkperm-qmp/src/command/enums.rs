//! Enums that several commands use, and the macro that defines an enum of QAPI.

/// An enum of QAPI with the names of its values.
macro_rules! qapi_enum {
    ($(#[$doc:meta])* pub enum $name:ident { $($variant:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
        #[allow(missing_docs, reason = "the values are QEMU's, and documented there")]
        pub enum $name {
            $(#[serde(rename = $value)] $variant,)*
        }

        impl $name {
            /// All values, in the order of the schema.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name of the value in QMP.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use qapi_enum;

qapi_enum! {
    /// A switch that may be left to QEMU.
    pub enum OnOffAuto {
        Auto = "auto",
        On = "on",
        Off = "off",
    }
}

qapi_enum! {
    /// What a job does about an I/O error.
    pub enum BlockdevOnError {
        Report = "report",
        Ignore = "ignore",
        Enospc = "enospc",
        Stop = "stop",
        Auto = "auto",
    }
}
