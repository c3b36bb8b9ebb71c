// Has the payment provider put its fields for a card into the page.
const provider = globalThis.Stripe?.("pk_test_rehearsal");
provider?.elements().create("card").mount("#card");
