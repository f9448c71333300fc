/** What a step-up has to prove, in the words of OpenID providers. */

/** The classes of RFC 9470's `acr_values`. `phr` is that of OpenID's EAP. */
export const acrOf = { mfa: 'mfa', 'phishing-resistant': 'phr' } as const
