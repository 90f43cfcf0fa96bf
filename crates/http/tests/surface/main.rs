//! The surfaces and the adapter over real sockets: real clients, a real upstream, and a pipeline that
//! does nothing but call the adapter.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod inventory;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod railway;
#[cfg(test)]
mod reverse;
#[cfg(test)]
mod upload;
#[cfg(test)]
mod websocket;
