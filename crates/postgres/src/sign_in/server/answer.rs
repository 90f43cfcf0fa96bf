//! Answering a server's challenge, with the vault. Nothing here ever holds the credential but on its way
//! from the vault into verified TLS.

use bytes::BytesMut;
use tagout_core::ids::UpstreamName;
use tagout_core::permit::Clearance;
use tagout_core::pipeline::Vault;
use tagout_core::session::{Challenge, ChallengeAnswer};

use super::{Caller, Role, ServerAddress, Step, step};
use crate::sign_in::error::ServerError;
use crate::sign_in::scram::{
    self, SCRAM, SCRAM_PLUS, ScramError, ServerFirst, client_final, is_signed, proof_text,
};
use crate::sign_in::tls;
use crate::sign_in::transport::Transport;
use crate::wire::server::Authentication;
use crate::wire::write;

/// Proves who we are, as the server demands; gives the newest minor version that it speaks.
pub(super) async fn prove(
    caller: &mut Caller,
    address: &ServerAddress,
    upstream: &UpstreamName,
    role: &Role,
    vault: &dyn Vault,
    clearance: &Clearance,
) -> Result<u16, ServerError> {
    let keys = Keys {
        host: &address.host,
        upstream,
        vault,
        clearance,
    };
    let mut minor = u16::MAX;
    loop {
        let frame = caller.next().await?;
        match step(&frame)? {
            Step::Nothing => {}
            Step::Speaks(newest) => minor = newest,
            Step::Asks(Authentication::Ok) => return Ok(minor),
            Step::Asks(Authentication::Cleartext) => {
                let verified_tls = caller.transport.is_encrypted();
                keys.password(caller, Challenge::Cleartext { verified_tls })
                    .await?;
            }
            Step::Asks(Authentication::Md5(salt)) => {
                let user = role.user.clone();
                keys.password(caller, Challenge::Md5 { user, salt }).await?;
            }
            Step::Asks(Authentication::Sasl(list)) => keys.scram(caller, list).await?,
            Step::Asks(Authentication::Other(kind)) => {
                return Err(ServerError::Authentication(kind));
            }
            Step::Asks(Authentication::SaslContinue(_) | Authentication::SaslFinal(_)) => {
                return Err(ServerError::OutOfTurn(frame.tag));
            }
        }
    }
}

/// The vault, for this one server.
struct Keys<'a> {
    host: &'a str,
    upstream: &'a UpstreamName,
    vault: &'a dyn Vault,
    clearance: &'a Clearance,
}

impl Keys<'_> {
    async fn answer(&self, challenge: Challenge) -> Result<ChallengeAnswer, ServerError> {
        let answer = self
            .vault
            .answer(self.clearance, self.upstream, self.host, challenge);
        Ok(answer.await?)
    }

    async fn password(&self, caller: &mut Caller, challenge: Challenge) -> Result<(), ServerError> {
        let ChallengeAnswer::Password(password) = self.answer(challenge).await? else {
            return Err(ServerError::Unproven);
        };
        let mut out = BytesMut::with_capacity(password.len() + 6);
        write::password(&mut out, &password);
        let sent = caller.send(&out).await;
        zeroize::Zeroize::zeroize(out.as_mut());
        sent
    }

    /// One exchange of SCRAM. It ends only when the server has proven itself, so its consent can't come
    /// before.
    async fn scram(&self, caller: &mut Caller, list: &[u8]) -> Result<(), ServerError> {
        let offered = Authentication::mechanisms(list)?;
        let channel = if offered.contains(&SCRAM_PLUS) {
            channel_of(&caller.transport)
        } else {
            None
        };
        let (mechanism, header) = match &channel {
            Some(_) => (SCRAM_PLUS, "p=tls-server-end-point,,"),
            None if offered.contains(&SCRAM) => (SCRAM, "n,,"),
            None => return Err(ScramError::Mechanism.into()),
        };
        let nonce = scram::new_nonce().ok_or(ServerError::Random)?;
        let bare = format!("n=,r={nonce}");
        let mut out = BytesMut::new();
        write::sasl_initial(&mut out, mechanism, &format!("{header}{bare}"));
        caller.send(&out).await?;

        let frame = caller.next().await?;
        let Step::Asks(Authentication::SaslContinue(text)) = step(&frame)? else {
            return Err(ServerError::OutOfTurn(frame.tag));
        };
        let text = std::str::from_utf8(text).map_err(|_| ScramError::Shape("it is not UTF-8"))?;
        let first = ServerFirst::read(text, &nonce)?;
        let last = client_final(header, &channel.unwrap_or_default(), first.nonce);
        let challenge = Challenge::Scram {
            salt: first.salt,
            iterations: first.iterations,
            auth_message: format!("{bare},{text},{last}"),
        };
        let ChallengeAnswer::Scram {
            proof,
            server_signature,
        } = self.answer(challenge).await?
        else {
            return Err(ServerError::Unproven);
        };
        let mut out = BytesMut::new();
        write::sasl_response(&mut out, &format!("{last},p={}", proof_text(&proof)));
        caller.send(&out).await?;

        let frame = caller.next().await?;
        match step(&frame)? {
            Step::Asks(Authentication::SaslFinal(text)) if is_signed(text, &server_signature) => {
                Ok(())
            }
            Step::Asks(_) => Err(ServerError::Unproven),
            Step::Speaks(_) | Step::Nothing => Err(ServerError::OutOfTurn(frame.tag)),
        }
    }
}

/// What SCRAM is bound to: the certificate that the server showed.
fn channel_of(transport: &Transport) -> Option<Vec<u8>> {
    let Transport::Tls(stream) = transport else {
        return None;
    };
    let (_, session) = stream.get_ref();
    tls::end_point(session.peer_certificates()?.first()?)
}
