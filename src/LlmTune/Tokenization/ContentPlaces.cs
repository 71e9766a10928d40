namespace LlmTune.Tokenization;

/// <summary>Where stretches of a message's content stand in the rendered conversation.</summary>
internal static class ContentPlaces
{
    /// <summary>The stretches that count otherwise than their turn, as places in the text.</summary>
    /// <exception cref="RequestException">The template writes the content otherwise, or not at all.</exception>
    public static IEnumerable<PartSpan> Find(RenderedWhole whole, IReadOnlyList<TextTurn> turns)
    {
        foreach (var (number, message) in whole.Conversation.Messages.Index())
        {
            if (message.Parts.Count == 0) continue;
            var its = turns.Where(turn => turn.Message == number).ToList();
            var (from, end) = (its.Min(turn => turn.Start), its.Max(turn => turn.End));
            var content = message.Content ?? "";
            var trimmed = content.Trim();
            // Templates trim contents.
            var (at, cut) = whole.Text.IndexOf(content, from, end - from, StringComparison.Ordinal) is >= 0 and var exact
                ? (exact, 0) : (whole.Text.IndexOf(trimmed, from, end - from, StringComparison.Ordinal), content.Length - content.TrimStart().Length);
            if (at < 0)
            {
                throw new RequestException(
                    $"{whole.Template.Origin} changes the content of message {number + 1} ({message.Role}), so that the parts of it that are to be "
                    + "trained on cannot be told from the others");
            }
            var last = at + (cut == 0 && at + content.Length <= end ? content.Length : trimmed.Length);
            foreach (var part in message.Parts)
            {
                var (start, stop) = (Math.Clamp(at + part.Start - cut, at, last), Math.Clamp(at + part.End - cut, at, last));
                if (stop > start) yield return new PartSpan(number, start, stop, part.Weight);
            }
        }
    }
}
