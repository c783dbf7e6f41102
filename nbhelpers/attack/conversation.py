"""Questions and answers as a family's own processor writes them."""

from typing import Any

from nbhelpers.errors import CheckFailed

Messages = list[dict[str, Any]]


def asked(processor: Any, question: str) -> str:
    """The text a processor takes for one picture and one question, up to where the answer begins.

    Processors without a chat template (PaliGemma) take the picture's placeholder and the question.
    """
    if getattr(processor, "chat_template", None) is None:
        return f"{processor.image_token}{question}"
    return _rendered(processor, _messages(question), generate=True)


def _rendered(processor: Any, messages: Messages, *, generate: bool) -> str:
    # Something for the processor's own call, which is not made: else SmolVLM's warns that it got nothing.
    quiet = {"padding": False}
    text: str = processor.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=generate, processor_kwargs=quiet
    )
    return text


def _messages(question: str, answer: str | None = None) -> Messages:
    content = [{"type": "image"}, {"type": "text", "text": question}]
    messages: Messages = [{"role": "user", "content": content}]
    if answer is not None:
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    return messages


def answer_ids(processor: Any, question: str, answer: str) -> list[int]:
    """Tokens of the answer with the end of the turn, as the model would have to write them.

    Raises:
        CheckFailed: the chat template does not simply go on after the question.
    """
    tokenizer = processor.tokenizer
    if getattr(processor, "chat_template", None) is None:
        text = f"{answer}{tokenizer.eos_token}"
    else:
        text = _after(processor, question, answer)
    return [int(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]


def _after(processor: Any, question: str, answer: str) -> str:
    whole = _rendered(processor, _messages(question, answer), generate=False)
    before = asked(processor, question)
    if not whole.startswith(before):
        raise CheckFailed(
            f"chat template of {type(processor).__name__}: a conversation with an answer does not begin as "
            f"the question alone does, so where the answer starts is unknown"
        )
    return whole.removeprefix(before).rstrip("\n")
