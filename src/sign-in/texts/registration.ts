/**
 * What to change where a provider does not take this site, for whoever runs it: told on the page beside the kind of
 * problem, in the words of the setting. What the provider itself said stays in the log.
 */

/** `client`: unknown, or another secret; `proof`: it has to show its secret in another way; `flow`: it may not sign people in so; `auth-time`: it does not say when they signed in; `address`: what is there is no provider, or not to be trusted; `permission`: the app there may not ask something; `name`: it belongs to another account. */
export type Registration =
  | 'client'
  | 'proof'
  | 'issuer'
  | 'redirect-uri'
  | 'flow'
  | 'auth-time'
  | 'address'
  | 'permission'
  | 'name';

export type RegistrationTexts = Readonly<Record<Registration, (redirectUri: string) => string>>;

export const REGISTRATION_EN: RegistrationTexts = {
  client: () =>
    'For whoever runs this site: the provider does not know the client, or its secret is another one. Compare "client_id" and "client_secret" of this provider with the registration there; where in doubt, make a new secret there. The log has the cause under the id below.',
  proof: () =>
    'For whoever runs this site: set the client at the provider to prove itself by its id and secret (Keycloak: "Client Authenticator" is "Client Id and Secret"). The log has the cause under the id below.',
  issuer: () =>
    'For whoever runs this site: "issuer" of this provider is not what the provider calls itself. Write it letter for letter as the log has it under the id below, or correct the public address that is set at the provider.',
  'redirect-uri': (redirectUri) =>
    `For whoever runs this site: register the redirect URI "${redirectUri}" with the client at the provider, letter for letter.`,
  flow: () =>
    'For whoever runs this site: let the client at the provider use the authorization code flow ("code") with PKCE by S256 (Keycloak: "Standard flow"). The log has the cause under the id below.',
  'auth-time': () =>
    'For whoever runs this site: the provider does not say when people signed in. Have it send the claim "auth_time", or leave "max_age" of this provider out.',
  address: () =>
    'For whoever runs this site: at the address of this provider is nothing that Postern can use, or that it may trust. Check name, scheme, port and path of "issuer" and "internal_url" (of "url" for GitHub); where the certificate there is of a CA of your own, name that by "ca". The log has the cause under the id below.',
  permission: () =>
    'For whoever runs this site: give the app at the provider the permission that the log names under the id below, or add the scope to "scopes" of this provider.',
  name: () =>
    'For whoever runs this site: the name of this account belongs to another one, which came with it first. If both are of one person, or that one is gone, "postern user unpin" lets the name go; the log has the command under the id below.',
};

export const REGISTRATION_KO: RegistrationTexts = {
  client: () =>
    '운영자에게: 제공자가 이 클라이언트를 모르거나 비밀 값이 다릅니다. 이 제공자의 “client_id”와 “client_secret”을 제공자에 등록된 값과 비교하고, 확실하지 않으면 그곳에서 비밀 값을 새로 만들어 주세요. 원인은 아래 ID로 로그에 있습니다.',
  proof: () =>
    '운영자에게: 제공자에서 이 클라이언트가 ID와 비밀 값으로 인증하도록 설정해 주세요(Keycloak: “Client Authenticator”를 “Client Id and Secret”으로). 원인은 아래 ID로 로그에 있습니다.',
  issuer: () =>
    '운영자에게: 이 제공자의 “issuer”가 제공자가 스스로 말하는 이름과 다릅니다. 아래 ID로 로그에 적힌 그대로 쓰거나, 제공자에 설정된 공개 주소를 고쳐 주세요.',
  'redirect-uri': (redirectUri) =>
    `운영자에게: 제공자의 클라이언트에 다음 리디렉션 URI를 글자 그대로 등록해 주세요: ${redirectUri}`,
  flow: () =>
    '운영자에게: 제공자에서 이 클라이언트가 S256 PKCE를 쓰는 인가 코드 흐름(“code”)을 사용할 수 있게 해 주세요(Keycloak: “Standard flow”). 원인은 아래 ID로 로그에 있습니다.',
  'auth-time': () =>
    '운영자에게: 제공자가 사용자가 언제 로그인했는지 알려 주지 않습니다. 제공자가 “auth_time” 클레임을 보내도록 설정하거나, 이 제공자의 “max_age”를 빼 주세요.',
  address: () =>
    '운영자에게: 이 제공자의 주소에서 Postern이 쓸 수 있거나 신뢰할 수 있는 것을 찾지 못했습니다. “issuer”와 “internal_url”(GitHub는 “url”)의 이름, 스킴, 포트, 경로를 확인하고, 그곳의 인증서가 자체 CA의 것이면 “ca”로 지정해 주세요. 원인은 아래 ID로 로그에 있습니다.',
  permission: () =>
    '운영자에게: 아래 ID로 로그에 적힌 권한을 제공자의 앱에 주거나, 그 범위를 이 제공자의 “scopes”에 추가해 주세요.',
  name: () =>
    '운영자에게: 이 계정의 이름은 먼저 그 이름으로 로그인한 다른 계정의 것입니다. 둘이 같은 사람이거나 그 계정이 더 이상 없으면 “postern user unpin”으로 이름을 풀 수 있습니다. 명령은 아래 ID로 로그에 있습니다.',
};

export const REGISTRATION_ZH_HANS: RegistrationTexts = {
  client: () =>
    '致运营者：提供方不认识此客户端，或密钥不一致。请将此提供方的“client_id”和“client_secret”与提供方处的注册信息核对；如不确定，请在那里新建密钥。日志中以下面的 ID 记录了原因。',
  proof: () =>
    '致运营者：请在提供方将此客户端设为用 ID 和密钥证明身份（Keycloak：“Client Authenticator”选“Client Id and Secret”）。日志中以下面的 ID 记录了原因。',
  issuer: () =>
    '致运营者：此提供方的“issuer”与提供方自称的不一致。请逐字写成日志中以下面的 ID 记录的名称，或更正提供方处设置的公开地址。',
  'redirect-uri': (redirectUri) => `致运营者：请在提供方的客户端中逐字登记重定向 URI“${redirectUri}”。`,
  flow: () =>
    '致运营者：请在提供方允许此客户端使用带 S256 PKCE 的授权码流程（“code”；Keycloak：“Standard flow”）。日志中以下面的 ID 记录了原因。',
  'auth-time': () => '致运营者：提供方没有说明用户何时登录。请让它发送声明“auth_time”，或去掉此提供方的“max_age”。',
  address: () =>
    '致运营者：在此提供方的地址处没有 Postern 可以使用或可以信任的服务。请检查“issuer”和“internal_url”（GitHub 为“url”）的名称、协议、端口和路径；如果那里的证书由自有 CA 签发，请用“ca”指定该 CA。日志中以下面的 ID 记录了原因。',
  permission: () =>
    '致运营者：请在提供方为此应用授予日志中以下面的 ID 记录的权限，或在此提供方的“scopes”中加入该范围。',
  name: () =>
    '致运营者：此账号的名称属于先以该名称登录的另一个账号。如果两者是同一个人，或那个账号已不存在，可用“postern user unpin”释放该名称；命令在日志中以下面的 ID 记录。',
};
