/** Refusals: what the wiki does not do, with the words it says so in. */

const WORDS = {
  noSuchPage: ["Nothing behind this gate", "There is no page at this address."],
  noSuchRevision: ["No such revision", "This page has no revision of that number."],
  noSuchPicture: ["No such picture", "There is no picture of that name."],
  badTitle: ["Not a title", "A title has up to 100 characters, and none of / \\ # ? [ ] | < >."],
  badForm: ["The form cannot be read", "Go back, reload the page and try again."],
  forgedForm: [
    "The form is not from here",
    "It was sent from another site, or this browser does not keep cookies. Go back, reload the page and try again.",
  ],
  noPicture: ["No picture chosen", "Go back and choose a file."],
  notAPicture: ["Not a picture", "Pictures are PNG, JPEG, GIF or WebP files."],
  tooLarge: ["Too large", "A picture may have 8 MiB, a page 64 KiB."],
};

/** Answered with `status` and a page that says why. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {keyof typeof WORDS} reason
   * @param {ErrorOptions} [options]
   */
  constructor(status, reason, options) {
    const [title, explanation] = WORDS[reason];
    super(explanation, options);
    this.name = "Refusal";
    this.status = status;
    this.title = title;
  }
}
