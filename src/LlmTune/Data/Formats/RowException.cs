namespace LlmTune.Data.Formats;

/// <summary>A row does not fit its format; the reader adds file and line, and <c>on_error</c> decides what follows.</summary>
internal sealed class RowException(string message) : Exception(message);
