namespace LlmTune;

/// <summary>The request was wrong (exit code 2): the message says what was found, what was expected and what to do.</summary>
public class RequestException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The run failed although the request made sense (exit code 1): a damaged file, a full disk, a loss that is not finite.</summary>
public class RunException(string message, Exception? inner = null) : Exception(message, inner);
