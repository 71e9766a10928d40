using System.Collections.Concurrent;
using System.Reflection;

namespace LlmTune.Config;

/// <summary>The form of each type: numbers, texts, lists and maps of texts are built in, enums and records describe themselves.</summary>
public static class Forms
{
    private static readonly ConcurrentDictionary<Type, Form> Known = new()
    {
        [typeof(int)] = new WholeNumberForm(int.MaxValue),
        [typeof(long)] = new WholeNumberForm(long.MaxValue),
        [typeof(double)] = new NumberForm(),
        [typeof(bool)] = new BoolForm(),
        [typeof(string)] = new TextForm(),
        [typeof(ValueDictionary)] = new TextMapForm(),
        [typeof(ValueTree)] = new TreeForm(),
    };

    public static Form Of<T>() => Of(typeof(T));

    public static Form Of(Type type) => Known.GetOrAdd(type, Make);

    private static Form Make(Type type)
    {
        if (type.IsEnum) return new EnumForm(type);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueList<>)) return new ListForm(type.GetGenericArguments()[0]);
        if (type.GetCustomAttributes<VariantAttribute>(inherit: false).Any()) return new VariantForm(type);
        if (type.IsClass && !type.IsAbstract) return new SectionForm(type);
        throw new InvalidOperationException($"{type} has no form in a run file; give its property a [Form]");
    }
}
