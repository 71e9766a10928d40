using System.Numerics;
using System.Runtime.CompilerServices;

namespace LlmTune.Config;

/// <summary>Bounds of settings, for <c>init</c> accessors: a record with a bad value cannot exist.</summary>
public static class Require
{
    public static T AtLeast<T>(T least, T value, [CallerMemberName] string property = "") where T : struct, INumber<T> =>
        value >= least ? value : throw Bad($"at least {least}", value, property);

    public static T? AtLeast<T>(T least, T? value, [CallerMemberName] string property = "") where T : struct, INumber<T> =>
        value is { } number ? AtLeast(least, number, property) : null;

    public static T Positive<T>(T value, [CallerMemberName] string property = "") where T : struct, INumber<T> =>
        value > T.Zero ? value : throw Bad("more than 0", value, property);

    public static T? Positive<T>(T? value, [CallerMemberName] string property = "") where T : struct, INumber<T> =>
        value is { } number ? Positive(number, property) : null;

    /// <summary>0 ≤ value &lt; 1.</summary>
    public static double Share(double value, [CallerMemberName] string property = "") =>
        value is >= 0 and < 1 ? value : throw Bad("at least 0 and less than 1", value, property);

    /// <summary>0 ≤ value &lt; 1.</summary>
    public static double? Share(double? value, [CallerMemberName] string property = "") =>
        value is { } number ? Share(number, property) : null;

    /// <summary>Not empty.</summary>
    public static ValueList<T> Some<T>(ValueList<T> values, [CallerMemberName] string property = "") =>
        values.Count > 0 ? values : throw new ConfigValueException("needs at least one entry, got none", property);

    /// <summary>Whatever the condition says; <paramref name="expected"/> completes "must be".</summary>
    public static T That<T>(bool holds, string expected, T value, [CallerMemberName] string property = "") =>
        holds ? value : throw Bad(expected, value, property);

    private static ConfigValueException Bad(string expected, object? value, string property) =>
        new($"must be {expected}, got {(value is double number ? CoreSchema.Number(number) : value)}", property);
}
