/**
 * The one script of Tidegate's pages. A form says in its attributes what the authenticator is to be asked; the answer
 * goes into its field `answer`, and the form is sent as any other. Nothing is fetched, and nothing is kept.
 */

const asked = {
  create: (options) =>
    navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }),
  get: (options) => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }),
}

for (const form of document.querySelectorAll('form[data-ceremony]')) {
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void confirm(form)
  })
}

async function confirm(form) {
  const told = form.querySelector('[role=alert]')
  told.textContent = ''
  try {
    const credential = await asked[form.dataset.ceremony](JSON.parse(form.dataset.options))
    form.elements.answer.value = JSON.stringify(credential.toJSON())
    form.submit()
  } catch {
    told.textContent = 'Nothing was confirmed. Try again, or reload the page if it has been open for some minutes.'
  }
}

/** What a link carries behind its # reaches no server and no log. It goes into the form, and out of the history. */
for (const form of document.querySelectorAll('form[data-fragment]')) {
  form.elements.secret.value = location.hash.slice(1)
  history.replaceState(undefined, '', location.pathname)
}
