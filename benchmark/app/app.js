// Buttons that show a picture are called like it, for screen readers: Gradio numbers them, or says nothing.
new MutationObserver(() => {
  for (const button of document.querySelectorAll(".thumbnail-item, .image-container > button")) {
    const block = button.closest(".block");
    button.ariaLabel = button.querySelector("img")?.alt || block.querySelector("label").innerText;
  }
}).observe(document, {childList: true, subtree: true});
