// Stands in for Stripe.js: as much of it as puts fields for a card into a frame of its own origin.
const origin = new URL(document.currentScript.src).origin;
globalThis.Stripe = () => ({
  elements: () => ({
    create: () => ({
      mount(place) {
        const frame = document.createElement("iframe");
        frame.src = `${origin}/v3/card`;
        frame.title = "Card";
        document.querySelector(place).replaceChildren(frame);
      },
    }),
  }),
});
